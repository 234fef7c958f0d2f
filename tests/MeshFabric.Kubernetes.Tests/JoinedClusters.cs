using System.Globalization;
using System.Net;
using k8s.Models;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Kubelets;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

/// <summary>The product as people run it: two real clusters with the same pod CIDR, joined by <c>mfctl cluster join NAME --kubeconfig FILE</c>, agents as pods.</summary>
public class JoinedClusters : IAsyncLifetime
{
    /// <summary>The second cluster's prefix as the first one reaches it, and the reverse.</summary>
    public const string BorealisInMesh = "100.64", AuroraInMesh = "100.65";

    readonly List<KubeCluster> _clusters = [];
    MeshLab? _mesh;

    public MeshLab Mesh => _mesh!;

    public KubeCluster Aurora => _clusters[0];

    /// <summary>Pods hang on a veth each here. Of its three nodes two are gateways; a fourth machine is to spare.</summary>
    public KubeCluster Borealis => _clusters[1];

    /// <summary>What each cluster was before it joined.</summary>
    public Dictionary<string, ClusterState> Before { get; } = [];

    public async ValueTask InitializeAsync()
    {
        var spec = new LabSpec(
            LabSpec.NameOfThisRun(LabName),
            [
                ClusterSpec.OfKubelets("aurora", "10.20.0.0/16") with { Provider = "aws", Region = "eu-west-1" },
                ClusterSpec.OfKubelets("borealis", "10.20.0.0/16", kubelets: 4) with { SpareKubelets = 1, PointToPoint = true, Provider = "gce", Region = "europe-north1" },
            ]);
        var started = TimeProvider.System.GetTimestamp();
        void Say(string text) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{TimeProvider.System.GetElapsedTime(started).TotalSeconds,5:0.0} s] {text}"));
        try
        {
            _mesh = await MeshLab.CreateAsync(spec, Path.Combine(Repository.Root, "out"), Say, CancellationToken.None);
            _clusters.AddRange(spec.Clusters.Select(c => KubeCluster.Attach(_mesh.Lab, c.Name)));
            foreach (var cluster in _clusters)
            {
                await ProxiedAsync(cluster, CancellationToken.None);
                Before[cluster.Name] = await ClusterState.ReadAsync(_mesh.Lab, cluster, CancellationToken.None);
                Say($"joining {cluster.Name}");
                await _mesh.JoinAsync(cluster.Name, CancellationToken.None);
            }

            Say("waiting for the tunnels");
            await _mesh.MfctlAsync(CancellationToken.None, "status", "--wait", "--timeout", "90");
            Say("joined");
        }
        catch
        {
            await DisposeAsync();
            throw;
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var cluster in _clusters)
        {
            await cluster.DisposeAsync();
        }

        _clusters.Clear();
        if (_mesh is { } mesh)
        {
            _mesh = null;
            KeptLogs.Of(mesh.Lab, Repository.Root, "kubernetes");
            await mesh.DisposeAsync();
        }

        GC.SuppressFinalize(this);
    }

    /// <summary>At most 5 letters; names the folder of the kept logs too.</summary>
    protected virtual string LabName => "mesh";

    /// <summary>A pod's address as the other cluster knows it.</summary>
    public static IPAddress InMesh(V1Pod pod) =>
        IPAddress.Parse((pod.Spec.NodeName.StartsWith("aurora", StringComparison.Ordinal) ? AuroraInMesh : BorealisInMesh) + "." + string.Join('.', pod.Status.PodIP.Split('.')[2..]));

    /// <summary>Waits until every node's service proxy knows the pods that run: it follows them by seconds.</summary>
    async Task ProxiedAsync(KubeCluster cluster, CancellationToken cancellationToken)
    {
        var pods = await EchoWorkload.ReadyAsync(cluster, EchoWorkload.DemoNamespace, cancellationToken);
        foreach (var node in cluster.Nodes.Where(n => n.IsOn))
        {
            await Until.TrueAsync(
                async () =>
                {
                    var rules = await Mesh.Lab.ShellAsync(node.Name, "iptables-save -t nat", cancellationToken);
                    return pods.All(p => rules.Contains($"--to-destination {p.Status.PodIP}:", StringComparison.Ordinal));
                },
                OneCluster.Limit, $"the service proxy of {node.Name} to know all pods", cancellationToken);
        }
    }

    /// <summary>Waits until a container of the pod is answered, by <c>kubectl exec</c>, and by one that saw the pod's own address.</summary>
    /// <param name="address">Of a pod of the other cluster, or of a Service that stands for such pods.</param>
    public static async Task FetchAsync(KubeCluster cluster, V1Pod from, string address, CancellationToken cancellationToken)
    {
        var told = "";
        await Until.TrueAsync(
            async () =>
            {
                var result = await cluster.ExecAsync(from, EchoWorkload.Neighbour, ["mfecho", "get", $"http://{address}/", "5"], cancellationToken);
                told = result.Output.Trim() + result.Error.Trim();
                return result.ExitCode == 0 && told == InMesh(from).ToString();
            },
            OneCluster.Limit,
            () => $"{from.Metadata.Name} on {from.Spec.NodeName} to fetch http://{address}/ as {InMesh(from)}; it was told '{told}'",
            cancellationToken);
    }
}
