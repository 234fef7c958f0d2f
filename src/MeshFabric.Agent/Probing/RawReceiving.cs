using System.Net;
using System.Net.Sockets;

namespace MeshFabric.Agent.Probing;

/// <summary>What raw sockets (raw(7)) of IPv4 have in common.</summary>
static class RawReceiving
{
    /// <summary>Takes every packet, from the header of IPv4 on, until the socket is disposed.</summary>
    public static async Task ReceiveAllAsync(this Socket socket, TimeProvider time, Action<byte[], int, IPAddress> take)
    {
        var buffer = new byte[65536];
        EndPoint any = new IPEndPoint(IPAddress.Any, 0);
        while (true)
        {
            try
            {
                var received = await socket.ReceiveFromAsync(buffer, SocketFlags.None, any);
                take(buffer, received.ReceivedBytes, ((IPEndPoint)received.RemoteEndPoint).Address);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
            catch (SocketException e) when (e.SocketErrorCode is SocketError.OperationAborted or SocketError.Interrupted)
            {
                return;
            }
            catch (SocketException)
            {
                // The device went down; sends fail too and are counted as lost.
                await Task.Delay(TimeSpan.FromMilliseconds(200), time);
            }
        }
    }
}
