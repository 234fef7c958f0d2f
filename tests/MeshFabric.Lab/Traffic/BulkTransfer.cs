using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Traffic;

/// <summary>Much data by one TCP connection between two hosts.</summary>
public static class BulkTransfer
{
    const int Port = 8082;

    /// <summary>The same number of bytes one way and then the other.</summary>
    /// <param name="address">By which <paramref name="from"/> reaches <paramref name="to"/>.</param>
    /// <exception cref="LabException">It did not end in time; the message says how far it came.</exception>
    public static async Task BothWaysAsync(LabHost from, LabHost to, IPAddress address, int bytes, TimeSpan limit, CancellationToken cancellationToken)
    {
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        using var listener = NamespaceSocket.Open(to, address.AddressFamily, SocketType.Stream);
        listener.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
        listener.Bind(new IPEndPoint(address.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, Port));
        listener.Listen();
        using var near = NamespaceSocket.Open(from, address.AddressFamily, SocketType.Stream);
        var there = 0;
        var back = 0;
        try
        {
            var accepting = listener.AcceptAsync(timeout.Token).AsTask();
            await near.ConnectAsync(new IPEndPoint(address, Port), timeout.Token);
            using var far = await accepting;
            await Task.WhenAll(SendAsync(near, bytes, timeout.Token), ReceiveAsync(far, bytes, n => there = n, timeout.Token));
            await Task.WhenAll(SendAsync(far, bytes, timeout.Token), ReceiveAsync(near, bytes, n => back = n, timeout.Token));
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            cancellationToken.ThrowIfCancellationRequested();
            throw new LabException($"{from.Name} to {address}: {there} of {bytes} bytes there and {back} back in {limit.TotalSeconds:0} s: {e.Message}");
        }
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
