using System.Net.Sockets;
using System.Text;

namespace MeshFabric.Echo;

/// <summary>One request of HTTP 1.0, enough for the servers of tests; busybox's wget crashes with a time limit.</summary>
static class HttpGet
{
    public static async Task<int> RunAsync(Uri uri, TimeSpan limit)
    {
        using var timeout = new CancellationTokenSource(limit);
        try
        {
            using var client = new TcpClient();
            await client.ConnectAsync(uri.Host.Trim('[', ']'), uri.Port, timeout.Token);
            await using var stream = client.GetStream();
            await stream.WriteAsync(Encoding.ASCII.GetBytes($"GET {uri.PathAndQuery} HTTP/1.0\r\nHost: {uri.Authority}\r\n\r\n"), timeout.Token);
            using var reader = new StreamReader(stream);
            var answer = await reader.ReadToEndAsync(timeout.Token);
            var body = answer.IndexOf("\r\n\r\n", StringComparison.Ordinal);
            Console.Write(body < 0 ? answer : answer[(body + 4)..]);
            return answer.Split(' ') is [_, "200", ..] ? 0 : 1;
        }
        catch (Exception e) when (e is SocketException or IOException or OperationCanceledException)
        {
            Console.Error.WriteLine($"mfecho: {uri}: {(e is OperationCanceledException ? $"no answer within {limit.TotalSeconds} s" : e.Message)}");
            return 1;
        }
    }
}
