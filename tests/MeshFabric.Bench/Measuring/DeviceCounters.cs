using System.Text.Json;

namespace MeshFabric.Bench.Measuring;

/// <summary>What network devices of one host have counted, added up.</summary>
/// <param name="Sent">Packets.</param>
/// <param name="Received">Packets.</param>
/// <param name="ReceivedBytes">In those received.</param>
readonly record struct DeviceCounters(long Sent, long Received, long ReceivedBytes)
{
    /// <param name="prefix">What the devices' names begin with.</param>
    public static async Task<DeviceCounters> ReadAsync(Lab.Lab lab, string host, string prefix, CancellationToken cancellationToken)
    {
        using var links = JsonDocument.Parse(await lab.ShellAsync(host, "ip -j -s link show", cancellationToken));
        var counted = links.RootElement.EnumerateArray().Where(l => l.GetProperty("ifname").GetString()!.StartsWith(prefix, StringComparison.Ordinal)).Select(l => l.GetProperty("stats64")).ToList();
        long Sum(string direction, string what) => counted.Sum(c => c.GetProperty(direction).GetProperty(what).GetInt64());
        return new(Sum("tx", "packets"), Sum("rx", "packets"), Sum("rx", "bytes"));
    }

    public static DeviceCounters operator -(DeviceCounters now, DeviceCounters before) =>
        new(now.Sent - before.Sent, now.Received - before.Received, now.ReceivedBytes - before.ReceivedBytes);
}
