using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;

namespace MeshFabric.TestKit.Services;

/// <summary>TCP ports of 127.0.0.1 that nobody listens on.</summary>
/// <remarks>From below the kernel's own range: no outgoing connection takes one while the server that it was given to is down.</remarks>
public static class FreePorts
{
    const int Lowest = 20_000;
    const int Highest = 32_000;

    public static int[] Take(int count)
    {
        var listeners = new List<TcpListener>();
        try
        {
            while (listeners.Count < count)
            {
                var listener = new TcpListener(IPAddress.Loopback, RandomNumberGenerator.GetInt32(Lowest, Highest));
                try
                {
                    listener.Start();
                    listeners.Add(listener);
                }
                catch (SocketException e) when (e.SocketErrorCode == SocketError.AddressAlreadyInUse)
                {
                    listener.Dispose();
                }
            }

            return listeners.Select(l => ((IPEndPoint)l.LocalEndpoint).Port).ToArray();
        }
        finally
        {
            listeners.ForEach(l => l.Dispose());
        }
    }
}
