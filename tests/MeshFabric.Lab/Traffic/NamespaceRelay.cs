using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Traffic;

/// <summary>A port of this machine's loopback that reaches a server inside a lab.</summary>
public sealed class NamespaceRelay : IAsyncDisposable
{
    readonly CancellationTokenSource _stop = new();
    readonly TcpListener _listener;
    readonly LabHost _host;
    readonly IPEndPoint _to;
    readonly Task _accepting;

    NamespaceRelay(LabHost host, IPEndPoint to, int listenPort)
    {
        _host = host;
        _to = to;
        _listener = new TcpListener(IPAddress.Loopback, listenPort);
        _listener.Server.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        _listener.Start();
        _accepting = AcceptAsync();
    }

    public int Port => ((IPEndPoint)_listener.LocalEndpoint).Port;

    /// <param name="host">From whose namespace the server is dialled.</param>
    /// <param name="listenPort">0 takes a free one.</param>
    public static NamespaceRelay Start(LabHost host, IPAddress to, int port, int listenPort) => new(host, new IPEndPoint(to, port), listenPort);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        _listener.Dispose();
        await _accepting;
        _stop.Dispose();
    }

    async Task AcceptAsync()
    {
        try
        {
            while (true)
            {
                _ = CarryAsync(await _listener.AcceptSocketAsync(_stop.Token));
            }
        }
        catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException or SocketException)
        {
            // Our own end.
        }
    }

    async Task CarryAsync(Socket client)
    {
        try
        {
            using var near = client;
            using var far = NamespaceSocket.Open(_host, _to.AddressFamily, SocketType.Stream);
            await far.ConnectAsync(_to, _stop.Token);
            await Task.WhenAll(CopyAsync(near, far), CopyAsync(far, near));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or Processes.LabException)
        {
            // The server is down, or one side went away: the client sees its connection end.
        }
    }

    async Task CopyAsync(Socket from, Socket to)
    {
        var buffer = new byte[65536];
        while (await from.ReceiveAsync(buffer, _stop.Token) is var count and > 0)
        {
            await to.SendAsync(buffer.AsMemory(0, count), _stop.Token);
        }

        to.Shutdown(SocketShutdown.Send);
    }
}
