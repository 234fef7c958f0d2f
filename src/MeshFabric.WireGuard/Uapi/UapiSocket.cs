using System.Net.Sockets;
using System.Text;

namespace MeshFabric.WireGuard.Uapi;

/// <summary>One operation over a device's control socket.</summary>
static class UapiSocket
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    /// <exception cref="WireGuardException">NotFound when nobody listens (no device, or its process died); Protocol when no whole answer came.</exception>
    public static async Task<string> ExchangeAsync(string path, string device, string request, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        try
        {
            await socket.ConnectAsync(new UnixDomainSocketEndPoint(path), limit.Token);
        }
        catch (SocketException e)
        {
            throw new WireGuardException(WireGuardError.NotFound, $"no process serves the device {device} at {path}: {e.Message}", e);
        }

        try
        {
            await SendAsync(socket, Encoding.ASCII.GetBytes(request), limit.Token);
            return await ReceiveAsync(socket, device, limit.Token);
        }
        catch (SocketException e)
        {
            throw new WireGuardException(WireGuardError.Protocol, $"the device {device} closed its control socket: {e.Message}", e);
        }
        catch (OperationCanceledException e) when (!cancellationToken.IsCancellationRequested)
        {
            throw new WireGuardException(WireGuardError.Protocol, $"the device {device} did not answer within {Limit.TotalSeconds} s", e);
        }
    }

    static async Task SendAsync(Socket socket, ReadOnlyMemory<byte> bytes, CancellationToken cancellationToken)
    {
        while (bytes.Length > 0)
        {
            bytes = bytes[await socket.SendAsync(bytes, cancellationToken)..];
        }
    }

    // An answer ends with an empty line.
    static async Task<string> ReceiveAsync(Socket socket, string device, CancellationToken cancellationToken)
    {
        var answer = new MemoryStream();
        var buffer = new byte[1 << 16];
        while (true)
        {
            var count = await socket.ReceiveAsync(buffer, cancellationToken);
            if (count == 0)
            {
                throw new WireGuardException(WireGuardError.Protocol, $"the device {device} ended its answer early");
            }

            answer.Write(buffer, 0, count);
            var written = answer.GetBuffer().AsSpan(0, (int)answer.Length);
            if (written.EndsWith("\n\n"u8))
            {
                return Encoding.ASCII.GetString(written);
            }
        }
    }
}
