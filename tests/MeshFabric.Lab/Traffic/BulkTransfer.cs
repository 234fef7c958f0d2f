using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Traffic;

/// <summary>Much data by TCP connections between two hosts.</summary>
public static class BulkTransfer
{
    const int Port = 8082;

    /// <summary>The same number of bytes one way and then the other, by each connection.</summary>
    /// <param name="address">By which <paramref name="from"/> reaches <paramref name="to"/>.</param>
    /// <param name="connections">At the same time.</param>
    /// <exception cref="LabException">It did not end in time; the message says how far it came.</exception>
    public static async Task BothWaysAsync(LabHost from, LabHost to, IPAddress address, int bytes, TimeSpan limit, CancellationToken cancellationToken, int connections = 1)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        using var listener = NamespaceSocket.Open(to, address.AddressFamily, SocketType.Stream);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(address.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, Port));
        listener.Listen(connections);
        var (there, back) = (new int[connections], new int[connections]);
        try
        {
            var near = Task.WhenAll(Enumerable.Range(0, connections).Select(i => NearAsync(from, address, bytes, n => back[i] = n, timeout.Token)));
            var far = Task.WhenAll(Enumerable.Range(0, connections).Select(i => FarAsync(listener, bytes, n => there[i] = n, timeout.Token)));
            await Task.WhenAll(near, far);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new LabException($"{from.Name} to {address}: of {bytes} bytes {string.Join(", ", there)} there and {string.Join(", ", back)} back in {limit.TotalSeconds:0} s: {e.Message}");
        }
    }

    static async Task NearAsync(LabHost from, IPAddress address, int bytes, Action<int> count, CancellationToken cancellationToken)
    {
        using var near = NamespaceSocket.Open(from, address.AddressFamily, SocketType.Stream);
        await near.ConnectAsync(new IPEndPoint(address, Port), cancellationToken);
        await SendAsync(near, bytes, cancellationToken);
        await ReceiveAsync(near, bytes, count, cancellationToken);
    }

    static async Task FarAsync(Socket listener, int bytes, Action<int> count, CancellationToken cancellationToken)
    {
        using var far = await listener.AcceptAsync(cancellationToken);
        await ReceiveAsync(far, bytes, count, cancellationToken);
        await SendAsync(far, bytes, cancellationToken);
    }

    static async Task SendAsync(Socket socket, int bytes, CancellationToken cancellationToken)
    {
        var chunk = new byte[65536];
        for (var sent = 0; sent < bytes;)
        {
            sent += await socket.SendAsync(chunk.AsMemory(0, Math.Min(chunk.Length, bytes - sent)), cancellationToken);
        }
    }

    static async Task ReceiveAsync(Socket socket, int bytes, Action<int> count, CancellationToken cancellationToken)
    {
        var chunk = new byte[65536];
        for (var received = 0; received < bytes; count(received))
        {
            var more = await socket.ReceiveAsync(chunk.AsMemory(0, Math.Min(chunk.Length, bytes - received)), cancellationToken);
            received += more > 0 ? more : throw new SocketException((int)SocketError.ConnectionReset);
        }
    }
}
