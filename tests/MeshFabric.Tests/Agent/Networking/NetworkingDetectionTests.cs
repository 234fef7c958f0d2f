using System.Text.Json;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;
using MeshFabric.TestKit;

namespace MeshFabric.Tests.Agent.Networking;

/// <summary>What is made of a cluster's API and of what agents saw on its nodes, for each CNI plug-in: <c>cases/NAME.json</c> beside <c>cases/NAME.yaml</c>.</summary>
public sealed class NetworkingDetectionTests
{
    static readonly JsonSerializerOptions Indented = new(MeshJson.Options) { WriteIndented = true };

    public static TheoryData<string> Cases => [.. Directory.GetFiles(CannedCluster.Folder, "*.yaml").Select(f => Path.GetFileNameWithoutExtension(f)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task A_cluster_is_recognised_as_written_beside_it(string name)
    {
        var inventory = KubernetesInventory.From(CannedCluster.Read(name), await CannedCluster.ObserveAsync(name)).Inventory;
        Golden.Check(JsonSerializer.Serialize(new
        {
            podCidrs = inventory.PodCidrs,
            serviceCidrs = inventory.ServiceCidrs,
            nodes = inventory.Nodes.ToDictionary(n => n.Name, n => n.PodCidrs),
            networking = inventory.Networking,
        }, Indented), $"cases/{name}.json");
    }

    [Theory]
    [MemberData(nameof(Cases))]
    public async Task The_order_in_which_things_were_read_does_not_matter(string name)
    {
        var snapshot = CannedCluster.Read(name);
        var observations = await CannedCluster.ObserveAsync(name);
        var settings = snapshot.Settings;
        var reversed = new KubernetesSnapshot([.. snapshot.Nodes.Reverse()], settings with
        {
            Cni = settings.Cni with
            {
                DaemonSets = [.. settings.Cni.DaemonSets.Reverse()],
                SomePods = [.. settings.Cni.SomePods.Reverse()],
                Calico = settings.Cni.Calico with { Pools = [.. settings.Cni.Calico.Pools.Reverse()] },
            },
        });
        Assert.Equal(NetworkingDetection.Of(snapshot, observations), NetworkingDetection.Of(reversed, observations.Reverse().ToDictionary()));
    }

    [Fact]
    public void Every_row_of_the_compatibility_page_has_a_case()
    {
        var recognised = Cases.Select(c => KubernetesInventory.From(CannedCluster.Read((string)c.Data), new Dictionary<string, NodeObservation>()).Inventory.Networking!.DataPath.Plugin).ToHashSet();
        string[] byApi = [CniPlugin.Flannel, CniPlugin.Calico, CniPlugin.Canal, CniPlugin.Weave, CniPlugin.Kindnet, CniPlugin.Cilium, CniPlugin.AwsVpc, CniPlugin.Azure, CniPlugin.Gke, CniPlugin.Unknown];
        Assert.Subset(recognised, byApi.ToHashSet());
    }

    [Theory]
    [InlineData("canal")]
    [InlineData("canal-of-two-daemonsets")]
    public async Task Canal_is_taken_neither_for_Calico_nor_for_Flannel(string name) =>
        Assert.Equal((CniPlugin.Canal, "calico"), Names((await DetectAsync(name)).Networking));

    [Fact]
    public async Task A_node_that_contradicts_the_API_is_believed_and_the_contradiction_told()
    {
        var detected = await DetectAsync("node-contradicts-api");
        Assert.Equal(CniPlugin.Weave, detected.Networking.DataPath.Plugin);
        Assert.Contains(detected.Networking.Findings, f => f is { Code: "cni-node-contradicts-api", Subject: "node/n1" });
    }

    [Fact]
    public async Task A_node_with_a_firewall_that_the_agents_do_not_change_is_named()
    {
        var observations = (await CannedCluster.ObserveAsync("weave")).ToDictionary(o => o.Key, o => o.Value with { NftTables = [.. o.Value.NftTables, "inet firewalld"] });
        var findings = NetworkingDetection.Of(CannedCluster.Read("weave"), observations).Networking.Findings;
        Assert.Equal(observations.Keys.Select(n => $"node/{n}").Order(StringComparer.Ordinal), findings.Where(f => f.Code == "node-firewall").Select(f => f.Subject).Order(StringComparer.Ordinal));
    }

    [Fact]
    public async Task A_configured_pod_cidr_wins_over_every_plug_in()
    {
        var snapshot = CannedCluster.Read("weave") with { ConfiguredPodCidrs = [MeshFabric.Net.Cidr.Parse("10.99.0.0/16")] };
        var detected = NetworkingDetection.Of(snapshot, await CannedCluster.ObserveAsync("weave"));
        Assert.Equal("[10.99.0.0/16]", detected.PodCidrs.ToString());
        Assert.Equal("configuration", detected.Networking.PodCidrSource);
    }

    [Fact]
    public void What_files_of_others_say_cannot_break_a_report()
    {
        var seen = new NodeObservation { Unread = [new string('x', 5000) + "\u001b[31m\n"] };
        var observations = Enumerable.Range(0, 500).ToDictionary(i => $"n{i}", _ => seen);
        var findings = NetworkingDetection.Of(CannedCluster.Read("nothing"), observations).Networking.Findings;
        Assert.Equal(ClusterNetworking.MaxFindings, findings.Count);
        Assert.All(findings, f => Assert.True(f.Message.Length <= ClusterNetworking.MaxText && !f.Message.Any(char.IsControl)));
    }

    static (string, string) Names(ClusterNetworking networking) => (networking.DataPath.Plugin, networking.PolicyEngine.Name);

    static async Task<DetectedNetworking> DetectAsync(string name) => NetworkingDetection.Of(CannedCluster.Read(name), await CannedCluster.ObserveAsync(name));
}
