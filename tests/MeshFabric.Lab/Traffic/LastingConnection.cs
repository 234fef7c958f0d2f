using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Traffic;

/// <summary>One TCP connection that says something now and then, for as long as it lives.</summary>
public sealed class LastingConnection : IAsyncDisposable
{
    const int Port = 8085;

    readonly Socket _near;
    readonly Socket _far;

    LastingConnection(Socket near, Socket far) => (_near, _far) = (near, far);

    public static Task<LastingConnection> OpenAsync(LabHost from, LabHost to, CancellationToken cancellationToken) => OpenAsync(from, to, to.Address!, cancellationToken);

    /// <param name="address">By which <paramref name="from"/> reaches <paramref name="to"/>.</param>
    public static async Task<LastingConnection> OpenAsync(LabHost from, LabHost to, IPAddress address, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(TimeSpan.FromSeconds(30));
        using var listener = NamespaceSocket.Open(to, AddressFamily.InterNetwork, SocketType.Stream);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(IPAddress.Any, Port));
        listener.Listen();
        var near = NamespaceSocket.Open(from, AddressFamily.InterNetwork, SocketType.Stream);
        var accepting = listener.AcceptAsync(limit.Token).AsTask();
        await near.ConnectAsync(new IPEndPoint(address, Port), limit.Token);
        return new LastingConnection(near, await accepting);
    }

    /// <summary>A byte there and back.</summary>
    /// <returns>What is wrong with it; null for nothing.</returns>
    public async Task<string?> BrokenAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(patience);
        try
        {
            var one = new byte[1];
            foreach (var (from, to) in new[] { (_near, _far), (_far, _near) })
            {
                await from.SendAsync(one, limit.Token);
                if (await to.ReceiveAsync(one, limit.Token) == 0)
                {
                    return "the connection was closed";
                }
            }

            return null;
        }
        catch (SocketException e)
        {
            return $"the connection was broken: {e.SocketErrorCode}";
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return $"nothing came through the connection for {patience.TotalSeconds:0} s";
        }
    }

    public ValueTask DisposeAsync()
    {
        _near.Dispose();
        _far.Dispose();
        return ValueTask.CompletedTask;
    }
}
