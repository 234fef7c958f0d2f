using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Traffic;

/// <summary>In every pod: HTTP and, on the same port, UDP that answer with the source address they saw, and a UDP echo.</summary>
public sealed class PodServers : IAsyncDisposable
{
    public const int HttpPort = 8080;
    public const int EchoPort = 7;

    /// <summary>Of UDP sockets, bytes: what a test process that stands still for a while must not lose.</summary>
    public const int ReceiveBuffer = 1 << 22;

    static readonly TimeSpan ClientCloses = TimeSpan.FromSeconds(10);

    readonly CancellationTokenSource _stop = new();
    readonly List<Socket> _sockets = [];
    readonly List<Task> _loops = [];

    PodServers()
    {
    }

    /// <param name="others">Hosts that are no pods and have the same servers.</param>
    public static PodServers Start(LabTopology topology, params LabHost[] others)
    {
        var servers = new PodServers();
        foreach (var pod in topology.Pods.Concat(others))
        {
            servers.Add(pod, AddressFamily.InterNetwork);
            if (pod.Address6 is not null)
            {
                servers.Add(pod, AddressFamily.InterNetworkV6);
            }
        }

        return servers;
    }

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        foreach (var socket in _sockets)
        {
            socket.Dispose();
        }

        await Task.WhenAll(_loops);
        _stop.Dispose();
    }

    void Add(LabHost pod, AddressFamily family)
    {
        var any = family == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any;
        var listener = NamespaceSocket.Open(pod, family, SocketType.Stream);
        var echo = NamespaceSocket.Open(pod, family, SocketType.Dgram);
        var mirror = NamespaceSocket.Open(pod, family, SocketType.Dgram);
        echo.ReceiveBufferSize = ReceiveBuffer;
        _sockets.AddRange([listener, echo, mirror]);
        foreach (var (socket, port) in new[] { (listener, HttpPort), (echo, EchoPort), (mirror, HttpPort) })
        {
            if (family == AddressFamily.InterNetworkV6)
            {
                socket.DualMode = false;
            }

            socket.SetSocketOption(SocketOptionLevel.Socket, SocketOptionName.ReuseAddress, true);
            socket.Bind(new IPEndPoint(any, port));
        }

        listener.Listen(128);
        _loops.Add(Quietly(AcceptAsync(listener)));
        _loops.Add(Quietly(EchoAsync(echo, new IPEndPoint(any, 0), (buffer, received, _) => buffer.AsMemory(0, received))));
        _loops.Add(Quietly(EchoAsync(mirror, new IPEndPoint(any, 0), (buffer, received, from) => Encoding.ASCII.GetBytes($"{from.Address} {Encoding.ASCII.GetString(buffer, 0, received)}"))));
    }

    async Task AcceptAsync(Socket listener)
    {
        while (!_stop.IsCancellationRequested)
        {
            var client = await listener.AcceptAsync(_stop.Token);
            _ = Quietly(AnswerAsync(client));
        }
    }

    async Task AnswerAsync(Socket client)
    {
        using var socket = client;
        await using var stream = new NetworkStream(socket);
        using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
        var request = await reader.ReadLineAsync(_stop.Token) ?? "";
        while (await reader.ReadLineAsync(_stop.Token) is { Length: > 0 })
        {
        }

        var body = ((IPEndPoint)socket.RemoteEndPoint!).Address + "\n";
        await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"), _stop.Token);
        if (request.EndsWith("HTTP/1.0", StringComparison.Ordinal))
        {
            // Such a client reads until the server closes.
            socket.Shutdown(SocketShutdown.Send);
            return;
        }

        // The client closes first, and so remembers the connection (TIME-WAIT). A pod that did would take one of the same port, by another of its Services and so of
        // other timestamps, for an old one: the gateway that translates cannot know of what does not pass it.
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(_stop.Token);
        limit.CancelAfter(ClientCloses);
        await reader.ReadAsync(new char[1], limit.Token);
    }

    async Task EchoAsync(Socket socket, IPEndPoint any, Func<byte[], int, IPEndPoint, ReadOnlyMemory<byte>> answer)
    {
        var buffer = new byte[65536];
        while (!_stop.IsCancellationRequested)
        {
            try
            {
                var received = await socket.ReceiveFromAsync(buffer, any, _stop.Token);
                await socket.SendToAsync(answer(buffer, received.ReceivedBytes, (IPEndPoint)received.RemoteEndPoint), received.RemoteEndPoint, _stop.Token);
            }
            catch (SocketException)
            {
                // An asker that is gone or cannot be reached: the others go on.
            }
        }
    }

    // A client's fault or our own end is no fault of the servers.
    static async Task Quietly(Task task) =>
        await task.ContinueWith(t => _ = t.Exception, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
}
