using System.Text.Json;
using System.Text.Json.Nodes;
using MassTransit.Serialization;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.TestKit;

namespace MeshFabric.Tests.Messages;

/// <summary>Messages as former releases wrote them, byte by byte, in a folder for each; never changed once they are there. They and we must understand each other both ways.</summary>
/// <remarks>A new release is recorded by adding its folder here and running once with UPDATE_GOLDEN=1 (which leaves folders that there are).</remarks>
public sealed class RecordedMessagesTests
{
    static readonly string[] Releases = ["2026-11-28", "2026-11-29", "2026-11-29.2"];

    /// <summary>Messages that the first release had none of, and the one that had them first.</summary>
    static readonly Dictionary<string, string> Since = new() { [nameof(MeshSecretIssued)] = "2026-11-29", [nameof(OfferDeviceKey)] = "2026-11-29.2" };

    // As the bus is set up: nothing of it is changed.
    static readonly JsonSerializerOptions Wire = SystemTextJsonMessageSerializer.Options;

    static readonly JsonSerializerOptions Readable = new(Wire) { WriteIndented = true };

    static readonly GatewayFacts Gateway = new(
        "g-1", "gw1", 0, PublicKey.Parse("HZCNAwy/hJ6Mgq1PEja89ltbZnBWXXYpVkaEVbyMbgI="), 51820, [UdpEndpoint.Parse("198.51.100.2:51820")], [Cidr.Parse("198.19.0.1/32"), Cidr.Parse("fd6d:6700::1/128")]);

    static readonly ClusterFacts Cluster = new(
        "c-1", "aurora", 7, ClusterKind.Kubernetes, new ClusterLocation("aws", "eu-central-1", "a"), [new Label("team", "blue")],
        [new MeshPrefix(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.64.0.0/16"), Cidr.Parse("100.65.0.0/16")), new MeshPrefix(Cidr.Parse("10.96.0.0/16"), Cidr.Parse("100.66.0.0/16")) { Services = true }],
        [Gateway]);

    static readonly TunnelReport Tunnel = new("mf0", "borealis", "gw1", TunnelState.Connected, UdpEndpoint.Parse("198.51.100.6:51820"), DateTimeOffset.UnixEpoch, 0.012, 0.05, 1234, 5678) { JitterSeconds = 0.001 };

    /// <summary>One of each kind, with everything in it that there was when the first of them were recorded.</summary>
    static readonly IReadOnlyList<object> Samples =
    [
        new FactsChanged(6, 7, MeshSettings.Default, [Cluster], ["c-2"]),
        new FactsSnapshot(new MeshFacts(7, MeshSettings.Default, [Cluster])),
        new ProbeTunnels("p-1", "borealis", 5, 200, 1392),
        new LeaveMesh("It was removed."),
        new MeshSecretIssued(3, "AAEC"),
        new OfferDeviceKey(),
        new AgentHeartbeat("0.1.0", 7, 6, 3, 4),
        new RequestFacts(5, "a gap"),
        new GatewayReported("0.1.0", "userspace", 7, 7, true, [Tunnel], [new Finding(FindingSeverity.Warning, "tunnel-no-endpoint", "gateway/aurora/gw1", "Nobody.", "Somebody.")],
            new GatewayActual(
                [new ActualDevice("mf0", 51820, 1420, [new ActualPeer(Gateway.PublicKey, UdpEndpoint.Parse("198.51.100.6:51820"), [Cidr.Parse("10.10.0.0/16")])])],
                [new ActualRoute(Cidr.Parse("10.10.0.0/16"), ["mf0", "mf1"])], true)),
        new InventoryReported(new ClusterInventory(
            ClusterKind.Site, ClusterLocation.Unknown, [new Label("team", "blue")], [Cidr.Parse("10.20.0.0/16"), Cidr.Parse("fd10:20::/48")], [Cidr.Parse("10.96.0.0/12")], "1.34", [])),
        new ProbeCompleted("p-1", [new ProbeResult("mf0", "gw1", 5, 4, [0.012, 0.013], "")]),
    ];

    [Fact]
    public void A_topology_is_read_as_it_was_written()
    {
        foreach (var topology in new[]
        {
            new Topology(TopologyKind.Regions) { Hubs = LabelSelector.Parse("role in (hub, edge),!old"), RegionLabel = "place", Transit = false },
            new Topology(TopologyKind.Pairs) { Pairs = [new ClusterPair(LabelSelector.Parse("a=b"), LabelSelector.Parse("meshfabric.io/region!=eu"))] },
        })
        {
            var sent = new FactsChanged(6, 7, MeshSettings.Default with { Topology = topology }, [], []);
            Assert.Equal(sent, JsonSerializer.Deserialize<FactsChanged>(JsonSerializer.Serialize(sent, Wire), Wire));
        }

        Assert.DoesNotContain("topology", JsonSerializer.Serialize(new FactsChanged(6, 7, MeshSettings.Default, [], []), Wire), StringComparison.OrdinalIgnoreCase);
    }

    public static TheoryData<string, string> All => [.. Releases.SelectMany(r => Samples.Select(s => (r, s.GetType().Name)).Where(m => string.CompareOrdinal(Since.GetValueOrDefault(m.Name), r) <= 0))];

    [Theory]
    [MemberData(nameof(All))]
    public void What_a_former_release_wrote_is_read_and_nothing_of_it_is_lost(string release, string message)
    {
        var sample = Sample(message);
        Assert.Equal(sample, JsonSerializer.Deserialize(Recorded(release, sample), sample.GetType(), Wire));
    }

    [Theory]
    [MemberData(nameof(All))]
    public void What_is_written_now_has_everything_that_a_former_release_reads(string release, string message)
    {
        var sample = Sample(message);
        Has(JsonNode.Parse(Recorded(release, sample))!, JsonSerializer.SerializeToNode(sample, sample.GetType(), Wire), message);
    }

    [Fact]
    public void Members_that_nobody_knows_yet_are_skipped()
    {
        foreach (var sample in Samples)
        {
            var later = JsonSerializer.SerializeToNode(sample, sample.GetType(), Wire)!.AsObject();
            Strange(later);
            Assert.Equal(sample, later.Deserialize(sample.GetType(), Wire));
        }
    }

    [Fact]
    public void Every_message_is_recorded() =>
        Assert.Equal(
            typeof(FactsChanged).Assembly.GetTypes().Where(t => t.Namespace == typeof(FactsChanged).Namespace && t is { IsPublic: true, IsClass: true } && !IsPart(t)).Select(t => t.Name).Order(StringComparer.Ordinal),
            Samples.Select(s => s.GetType().Name).Order(StringComparer.Ordinal));

    // Of another message.
    static bool IsPart(Type type) => type == typeof(GatewayActual) || type == typeof(ProbeResult) || type.Name.StartsWith("Actual", StringComparison.Ordinal);

    static object Sample(string message) => Samples.Single(s => s.GetType().Name == message);

    static string Recorded(string release, object sample)
    {
        var path = $"recorded/{release}/{sample.GetType().Name}.json";
        var file = Path.Combine(Directory(), path);
        if (!File.Exists(file))
        {
            Golden.Check(JsonSerializer.Serialize(sample, sample.GetType(), Readable), path);
        }

        return File.ReadAllText(file);
    }

    static string Directory([System.Runtime.CompilerServices.CallerFilePath] string file = "") => Path.GetDirectoryName(file)!;

    static void Has(JsonNode recorded, JsonNode? now, string path)
    {
        Assert.True(now is not null, $"{path} is missing now");
        Assert.True(recorded.GetValueKind() == now!.GetValueKind() || (IsBoolean(recorded) && IsBoolean(now)), $"{path} was {recorded.GetValueKind()} and is {now.GetValueKind()}");
        switch (recorded)
        {
            case JsonObject members:
                foreach (var (name, value) in members.Where(m => m.Value is not null))
                {
                    Has(value!, now.AsObject()[name], $"{path}.{name}");
                }

                break;
            case JsonArray items:
                for (var i = 0; i < items.Count; i++)
                {
                    Has(items[i]!, now.AsArray()[i], $"{path}[{i}]");
                }

                break;
            default:
                Assert.Equal(recorded.ToJsonString(), now.ToJsonString());
                break;
        }
    }

    static bool IsBoolean(JsonNode node) => node.GetValueKind() is JsonValueKind.True or JsonValueKind.False;

    /// <summary>Adds a member that there is not, everywhere.</summary>
    static void Strange(JsonNode? node)
    {
        switch (node)
        {
            case JsonObject members:
                members.ToList().ForEach(m => Strange(m.Value));
                members["notKnownYet"] = new JsonArray(1, "two");
                break;
            case JsonArray items:
                items.ToList().ForEach(Strange);
                break;
        }
    }
}
