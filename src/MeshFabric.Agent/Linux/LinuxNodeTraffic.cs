using System.Text.Json;
using MeshFabric.Agent.Ports;
using MeshFabric.Net;

namespace MeshFabric.Agent.Linux;

/// <summary>The counters of the node's own nft table.</summary>
public sealed class LinuxNodeTraffic(TimeProvider time) : INodeTraffic
{
    // One scrape asks for packets and for bytes.
    static readonly TimeSpan Fresh = TimeSpan.FromMilliseconds(100);

    readonly Lock _oneAtATime = new();
    ValueList<TrafficCount> _counts = [];
    long? _readAt;

    public ValueList<TrafficCount> Read()
    {
        lock (_oneAtATime)
        {
            if (_readAt is not { } at || time.GetElapsedTime(at) > Fresh)
            {
                var (code, output, _) = Tool.RunAsync("nft", ["-j", "list", "counters", "table", "inet", NodeNftables.Table], "", CancellationToken.None).GetAwaiter().GetResult();
                _counts = code == 0 ? Parse(output) : [];
                _readAt = time.GetTimestamp();
            }

            return _counts;
        }
    }

    /// <summary>Of what <c>nft -j list counters</c> prints (libnftables-json(5)).</summary>
    public static ValueList<TrafficCount> Parse(string json)
    {
        using var document = JsonDocument.Parse(json);
        return document.RootElement.GetProperty("nftables").EnumerateArray()
            .Where(item => item.TryGetProperty("counter", out _))
            .Select(item => item.GetProperty("counter"))
            .Select(counter => (Name: counter.GetProperty("name").GetString()!.Split('_'), Packets: counter.GetProperty("packets").GetInt64(), Bytes: counter.GetProperty("bytes").GetInt64()))
            .Where(counter => counter.Name.Length == 2)
            .Select(counter => new TrafficCount(counter.Name[1], counter.Name[0], counter.Packets, counter.Bytes))
            .ToValueList();
    }
}
