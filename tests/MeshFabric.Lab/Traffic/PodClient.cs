using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Traffic;

/// <summary>Requests from one host of the lab to pods' servers.</summary>
public static class PodClient
{
    /// <summary>The source address that the pod at <paramref name="address"/> saw; null when it could not be reached in time.</summary>
    public static async Task<IPAddress?> SeenAsAsync(LabHost from, IPAddress address, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var handler = new SocketsHttpHandler
        {
            UseProxy = false,
            ConnectCallback = async (_, token) =>
            {
                var socket = NamespaceSocket.Open(from, address.AddressFamily, SocketType.Stream);
                try
                {
                    await socket.ConnectAsync(new IPEndPoint(address, PodServers.HttpPort), token);
                    return new NetworkStream(socket, ownsSocket: true);
                }
                catch
                {
                    socket.Dispose();
                    throw;
                }
            },
        };
        using var client = new HttpClient(handler);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        try
        {
            return IPAddress.Parse((await client.GetStringAsync(new Uri("http://pod/"), timeout.Token)).Trim());
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            return null;
        }
    }
}
