using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using MeshFabric.Lab.Processes;
using MeshFabric.TestKit;

namespace MeshFabric.Bench.Measuring;

/// <summary>Traffic between two pods of a lab, by iperf3 and ping.</summary>
public static partial class Traffic
{
    const int Port = 5201;

    public static async Task ServeAsync(Lab.Lab lab, string pod, CancellationToken cancellationToken)
    {
        await lab.StartAsync(pod, "iperf3", ["iperf3", "-s", "-p", $"{Port}"], cancellationToken);
        await Until.TrueAsync(async () => (await lab.ExecAsync(pod, ["sh", "-c", $"ss -ltn | grep -q :{Port}"], cancellationToken)).ExitCode == 0, TimeSpan.FromSeconds(20), "iperf3 to listen", cancellationToken);
    }

    /// <summary>Waits until a pod has an answer from the other one.</summary>
    /// <param name="way">Names the way, for a person.</param>
    public static Task ReachesAsync(Lab.Lab lab, string from, string to, string way, CancellationToken cancellationToken) =>
        Until.TrueAsync(async () => (await lab.ExecAsync(from, ["ping", "-c", "1", "-W", "1", to], cancellationToken)).ExitCode == 0, TimeSpan.FromSeconds(60), $"an answer over {way}", cancellationToken);

    /// <summary>TCP throughput in Mbit/s, as received.</summary>
    public static async Task<double> TcpAsync(Lab.Lab lab, string from, string to, int seconds, int streams, CancellationToken cancellationToken) =>
        (await IperfAsync(lab, from, to, seconds, streams, ["sum_received"], cancellationToken))[0];

    /// <summary>TCP both ways at once: Mbit/s, as received, there and back.</summary>
    /// <param name="streams">Each way.</param>
    public static async Task<(double There, double Back)> TcpBothWaysAsync(Lab.Lab lab, string from, string to, int seconds, int streams, CancellationToken cancellationToken)
    {
        var received = await IperfAsync(lab, from, to, seconds, streams, ["sum_received", "sum_received_bidir_reverse"], cancellationToken, "--bidir");
        return (received[0], received[1]);
    }

    static async Task<IReadOnlyList<double>> IperfAsync(Lab.Lab lab, string from, string to, int seconds, int streams, IReadOnlyList<string> sums, CancellationToken cancellationToken, params string[] more)
    {
        var result = await lab.ExecAsync(from, ["iperf3", "-c", to, "-p", $"{Port}", "-t", $"{seconds}", "-O", "1", "-P", $"{streams}", "-J", .. more], cancellationToken);
        using var json = JsonDocument.Parse(result.Output);
        return json.RootElement.TryGetProperty("end", out var end) && sums.All(s => end.TryGetProperty(s, out _))
            ? [.. sums.Select(s => end.GetProperty(s).GetProperty("bits_per_second").GetDouble() / 1e6)]
            : throw new LabException($"iperf3 from {from} to {to} failed: {(json.RootElement.TryGetProperty("error", out var error) ? error.GetString() : result.Error)}");
    }

    /// <summary>Round trips in milliseconds, of 200 echo requests 10 ms apart.</summary>
    public static async Task<IReadOnlyList<double>> PingAsync(Lab.Lab lab, string from, string to, CancellationToken cancellationToken)
    {
        var result = (await lab.ExecAsync(from, ["ping", "-i", "0.01", "-c", "200", "-W", "2", to], cancellationToken)).Checked($"ping from {from} to {to}");
        return [.. RoundTrip().Matches(result.Output).Select(m => double.Parse(m.Groups[1].Value, CultureInfo.InvariantCulture))];
    }

    [GeneratedRegex(@"time=([0-9.]+) ms")]
    private static partial Regex RoundTrip();
}
