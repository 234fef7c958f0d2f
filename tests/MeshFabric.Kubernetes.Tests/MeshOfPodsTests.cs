using System.Globalization;
using System.Net;
using k8s.Models;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

/// <summary>The product as people run it: <c>mfctl cluster join NAME --kubeconfig FILE</c> installs the agents as pods, and the pods of two real clusters with the same pod CIDR reach each other.</summary>
[Collection(PowerTests.Machines)]
public sealed class MeshOfPodsTests : IAsyncLifetime
{
    const string Echo = "mesh";

    static readonly LabSpec Spec = new(
        LabSpec.NameOfThisRun("mesh"),
        [
            ClusterSpec.OfKubelets("aurora", "10.20.0.0/16") with { Provider = "aws", Region = "eu-west-1" },
            ClusterSpec.OfKubelets("borealis", "10.20.0.0/16") with { PointToPoint = true, Provider = "gce", Region = "europe-north1" },
        ]);

    readonly List<KubeCluster> _clusters = [];
    MeshLab? _mesh;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync()
    {
        var started = TimeProvider.System.GetTimestamp();
        void Say(string text) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"[{TimeProvider.System.GetElapsedTime(started).TotalSeconds,5:0.0} s] {text}"));
        _mesh = await MeshLab.CreateAsync(Spec, Path.Combine(Repository.Root, "out"), Say, CancellationToken.None);
        _clusters.AddRange(Spec.Clusters.Select(c => KubeCluster.Attach(_mesh.Lab, c.Name)));
        foreach (var cluster in _clusters)
        {
            Say($"joining {cluster.Name}");
            await _mesh.JoinAsync(cluster.Name, CancellationToken.None);
        }

        Say("waiting for the tunnels");
        await _mesh.MfctlAsync(CancellationToken.None, "status", "--wait", "--timeout", "90");
        Say("joined");
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var cluster in _clusters)
        {
            await cluster.DisposeAsync();
        }

        if (_mesh is not null)
        {
            KeptLogs.Of(_mesh.Lab);
            await _mesh.DisposeAsync();
        }
    }

    [Fact]
    public async Task Pods_of_every_node_reach_pods_of_every_node_and_keep_their_addresses_also_when_a_gateway_node_loses_power()
    {
        var aurora = await EchoWorkload.RunAsync(_clusters[0], Echo, 2, Cancellation);
        var borealis = await EchoWorkload.RunAsync(_clusters[1], Echo, 2, Cancellation);
        // The one that came second is seen by its alias, and so is the first by it.
        foreach (var from in aurora)
        {
            foreach (var to in borealis)
            {
                await SeenAsAsync(_clusters[0], from, Mesh("100.64", to), Mesh("100.65", from));
                await SeenAsAsync(_clusters[1], to, Mesh("100.65", from), Mesh("100.64", to));
            }
        }

        // The pods of borealis' first node lose their gateway's place to the second.
        var survivor = borealis.Single(p => p.Spec.NodeName == "borealis-n2");
        await using var stream = PingStream.Start(_clusters[0].HostOf(aurora[0]), Mesh("100.64", survivor));
        await Until.TrueAsync(() => stream.Answered > 50, OneCluster.Limit, "answers before the power cut", Cancellation);
        await _clusters[1].Nodes[0].PowerOffAsync(Cancellation);
        var before = stream.Answered;
        await Until.TrueAsync(() => stream.Answered > before + 200, OneCluster.Limit, "answers after the power cut", Cancellation);
        var report = await stream.StopAsync();
        await Console.Out.WriteLineAsync(string.Create(CultureInfo.InvariantCulture, $"a gateway's power cut: {report.Lost} of {report.Sent} packets lost, longest gap {report.LongestGap.TotalSeconds:0.00} s"));
        await SeenAsAsync(_clusters[1], survivor, Mesh("100.65", aurora[1]), Mesh("100.64", survivor));
    }

    static IPAddress Mesh(string prefix, V1Pod pod) => IPAddress.Parse(prefix + "." + string.Join('.', pod.Status.PodIP.Split('.')[2..]));

    /// <summary>Waits until the pod is answered, and by one that saw the given source.</summary>
    static async Task SeenAsAsync(KubeCluster cluster, V1Pod from, IPAddress to, IPAddress source)
    {
        IPAddress? seen = null;
        await Until.TrueAsync(
            async () => source.Equals(seen = await PodClient.SeenAsAsync(cluster.HostOf(from), to, TimeSpan.FromSeconds(2), Cancellation)),
            OneCluster.Limit,
            () => $"{from.Metadata.Name} on {from.Spec.NodeName} to reach {to} as {source}; it was seen as {seen?.ToString() ?? "nobody"}",
            Cancellation);
    }
}
