using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;
using MeshFabric.Domain;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.TestKit;

namespace MeshFabric.Tests.Domain.Planning;

/// <summary>Each folder in cases/ has facts.json, written by hand or by a builder, and the config of every gateway as a person can read it.</summary>
public sealed class MeshPlannerGoldenTests
{
    static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web)
    {
        WriteIndented = true,
        Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping,
        DefaultIgnoreCondition = JsonIgnoreCondition.WhenWritingNull,
    };

    public static TheoryData<string, MeshFacts> Cases => new()
    {
        { "disjoint", Meshes.Of(("aurora", 1, ["10.10.0.0/16", "fd10:10::/48"]), ("borealis", 1, ["10.20.0.0/16"])) },
        { "three-clusters-two-overlap", Meshes.Of(("aurora", 2, ["10.10.0.0/16"]), ("borealis", 2, ["10.20.0.0/16"]), ("cirrus", 2, ["10.20.0.0/16"])) },
        { "machine-without-prefixes", Meshes.Of(("aurora", 2, ["10.10.0.0/16"]), ("laptop", 1, [])) },
        { "two-hubs-and-spokes", Meshes.Of(new Topology(TopologyKind.HubAndSpoke) { Hubs = LabelSelector.Parse("role=hub") },
            ("aurora", 1, ["10.10.0.0/16"], "", ""), ("borealis", 1, ["10.20.0.0/16"], "", ""), ("centre", 1, ["10.30.0.0/16"], "hub", ""), ("delta", 1, ["10.20.0.0/16"], "hub", "")) },
        { "unequal-lengths-overlap", Meshes.Of(("large", 1, ["10.0.0.0/12"]), ("small", 1, ["10.4.0.0/16"])) },
    };

    [Theory]
    [MemberData(nameof(Cases))]
    public void Facts_become_the_configs_that_are_written_down(string name, MeshFacts facts)
    {
        Golden.Check(JsonSerializer.Serialize(facts, Json), $"cases/{name}/facts.json");
        foreach (var (cluster, gateway) in Meshes.Gateways(facts))
        {
            var plan = MeshPlanner.Plan(facts, cluster.Id, gateway.Id);
            Golden.Check(JsonSerializer.Serialize(plan, Json), $"cases/{name}/{cluster.Name}-{gateway.Name}.json");
            Assert.Equal(plan, JsonSerializer.Deserialize<GatewayConfig>(JsonSerializer.Serialize(plan, Json), Json));
        }
    }
}
