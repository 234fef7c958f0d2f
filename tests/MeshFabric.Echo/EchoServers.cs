using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using System.Text;

namespace MeshFabric.Echo;

/// <summary>
/// HTTP on port 8080: <c>/</c> answers with the source address that was seen, <c>/host</c> with the pod's name.
/// UDP on port 7: sends back what came; a packet "?" is answered with the source address that was seen.
/// </summary>
static class EchoServers
{
    const int HttpPort = 8080;
    const int EchoPort = 7;

    public static async Task<int> RunAsync()
    {
        using var stop = new CancellationTokenSource();
        // The first process of a container gets no default action.
        using var term = PosixSignalRegistration.Create(PosixSignal.SIGTERM, context =>
        {
            context.Cancel = true;
            stop.Cancel();
        });
        using var listener = Bind(SocketType.Stream, ProtocolType.Tcp, HttpPort);
        using var echo = Bind(SocketType.Dgram, ProtocolType.Udp, EchoPort);
        listener.Listen(512);
        try
        {
            await Task.WhenAny(AcceptAsync(listener, stop.Token), EchoAsync(echo, stop.Token));
        }
        catch (OperationCanceledException)
        {
            // Asked to end.
        }

        return 0;
    }

    // One socket for both families; IPv4 askers are told by their IPv4 address all the same.
    static Socket Bind(SocketType type, ProtocolType protocol, int port)
    {
        var six = Socket.OSSupportsIPv6;
        var socket = new Socket(six ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork, type, protocol);
        if (six)
        {
            socket.DualMode = true;
        }

        socket.Bind(new IPEndPoint(six ? IPAddress.IPv6Any : IPAddress.Any, port));
        return socket;
    }

    static async Task AcceptAsync(Socket listener, CancellationToken cancellationToken)
    {
        while (true)
        {
            _ = AnswerAsync(await listener.AcceptAsync(cancellationToken), cancellationToken);
        }
    }

    static async Task AnswerAsync(Socket client, CancellationToken cancellationToken)
    {
        try
        {
            using var socket = client;
            await using var stream = new NetworkStream(socket);
            using var reader = new StreamReader(stream, Encoding.ASCII, leaveOpen: true);
            var request = await reader.ReadLineAsync(cancellationToken) ?? "";
            while (await reader.ReadLineAsync(cancellationToken) is { Length: > 0 })
            {
            }

            var seen = Seen((IPEndPoint)socket.RemoteEndPoint!);
            Console.WriteLine($"{seen} {request}");
            var body = (request.StartsWith("GET /host ", StringComparison.Ordinal) ? Environment.MachineName : seen) + "\n";
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: {body.Length}\r\nConnection: close\r\n\r\n{body}"), cancellationToken);
            socket.Shutdown(SocketShutdown.Send);
        }
        catch (Exception e) when (e is IOException or SocketException or OperationCanceledException)
        {
            // The asker went away, or we were asked to end: the others go on.
        }
    }

    static async Task EchoAsync(Socket socket, CancellationToken cancellationToken)
    {
        var buffer = new byte[65536];
        var any = new IPEndPoint(socket.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (true)
        {
            try
            {
                var received = await socket.ReceiveFromAsync(buffer, any, cancellationToken);
                var packet = buffer.AsMemory(0, received.ReceivedBytes);
                var answer = packet.Span is [(byte)'?'] ? Encoding.ASCII.GetBytes(Seen((IPEndPoint)received.RemoteEndPoint)) : packet;
                await socket.SendToAsync(answer, received.RemoteEndPoint, cancellationToken);
            }
            catch (SocketException)
            {
                // An asker that is gone or cannot be reached: the others go on.
            }
        }
    }

    static string Seen(IPEndPoint from) => (from.Address.IsIPv4MappedToIPv6 ? from.Address.MapToIPv4() : from.Address).ToString();
}
