using System.Text.Json;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>Clusters that nobody describes: their agents read prefixes, nodes and places from real Kubernetes API servers.</summary>
[Collection(WholeMachine.Name)]
public sealed class KubernetesMeshTests
{
    static readonly LabSpec Spec = new(
        "e2ek",
        [
            new ClusterSpec("aurora", "10.10.0.0/16") { Gateways = 1, PodsPerWorker = 1, Kind = "kubernetes", Provider = "aws", Region = "eu-west-1" },
            new ClusterSpec("borealis", "10.10.0.0/16") { Gateways = 1, PodsPerWorker = 1, Kind = "kubernetes", Provider = "gce", Region = "europe-north1" },
        ]);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Two_clusters_with_the_same_pod_CIDR_join_by_their_Kubernetes_APIs_and_reach_each_other()
    {
        await using var mesh = await MeshLab.CreateAsync(Spec, JoinedMesh.Programs, _ => { }, Cancellation);
        await using var servers = PodServers.Start(mesh.Lab.Topology);
        await mesh.JoinAsync("aurora", Cancellation);
        await mesh.JoinAsync("borealis", Cancellation);
        await mesh.MfctlAsync(Cancellation, "status", "--wait", "--timeout", "90");

        using var cluster = JsonDocument.Parse(await mesh.MfctlAsync(Cancellation, "cluster", "get", "aurora", "-o", "json"));
        var (spec, status) = (cluster.RootElement.GetProperty("spec"), cluster.RootElement.GetProperty("status"));
        Assert.Equal("kubernetes", spec.GetProperty("kind").GetString());
        Assert.Equal("eu-west-1", spec.GetProperty("region").GetString());
        Assert.Equal("v1.20.2", status.GetProperty("kubernetesVersion").GetString());
        Assert.Equal("10.10.0.0/16", status.GetProperty("prefixes")[0].GetProperty("local").GetString());
        Assert.Contains("as 100.64.0.0/16", await mesh.MfctlAsync(Cancellation, "cluster", "list"), StringComparison.Ordinal);

        // aurora is seen by its alias, for borealis uses the same addresses inside.
        var from = mesh.Lab.Topology["aurora-w1-p1"];
        await Until.TrueAsync(async () => await PodClient.SeenAsAsync(from, System.Net.IPAddress.Parse("100.64.1.10"), TimeSpan.FromSeconds(2), Cancellation) is { } seen && seen.ToString() == "100.65.1.10",
            JoinedMesh.Limit, "aurora's pod to reach borealis' by their mesh addresses", Cancellation);
    }

    [Fact]
    public async Task An_API_that_cannot_be_reached_is_named_and_no_token_is_used_up()
    {
        var spec = new LabSpec("e2eu", [new ClusterSpec("aurora", "10.10.0.0/16") { Gateways = 1, PodsPerWorker = 1 }]);
        await using var mesh = await MeshLab.CreateAsync(spec, JoinedMesh.Programs, _ => { }, Cancellation);
        var kubeconfig = Path.Combine(mesh.Lab.Directory, "kubeconfig");
        await File.WriteAllTextAsync(kubeconfig, """
            apiVersion: v1
            kind: Config
            current-context: c
            contexts: [ { name: c, context: { cluster: c, user: u } } ]
            clusters: [ { name: c, cluster: { server: "https://172.31.1.21:6443", insecure-skip-tls-verify: true } } ]
            users: [ { name: u, user: { token: secret } } ]

            """, Cancellation);
        var token = (await mesh.MfctlAsync(Cancellation, "token", "create")).Trim();
        var refused = await mesh.Lab.ExecAsync("aurora-gw1", ["meshfabric-agent", "join", "--token-file", "-", "--cluster", "aurora", "--gateway", "gw1", "--kubeconfig", kubeconfig], Cancellation, token);
        Assert.Equal(1, refused.ExitCode);
        Assert.Contains("172.31.1.21:6443", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("secret", refused.Error, StringComparison.Ordinal);

        (await mesh.Lab.ExecAsync("aurora-gw1", ["meshfabric-agent", "join", "--token-file", "-", "--cluster", "aurora", "--gateway", "gw1"], Cancellation, token)).Checked("joining with the same token");
    }
}
