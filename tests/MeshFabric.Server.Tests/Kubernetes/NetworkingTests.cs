using System.Text.Json;
using k8s;
using k8s.Models;
using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.TestKit;
using MeshFabric.TestKit.Kubernetes;
using MeshFabric.Tests.Agent.Networking;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>What the reader finds of a CNI plug-in in a real API is what the cases of <c>tests/MeshFabric.Tests/Agent/Networking</c> say of the same objects.</summary>
public sealed class NetworkingTests
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Theory]
    [InlineData("flannel-vxlan")]
    [InlineData("calico-vxlan")]
    [InlineData("canal")]
    public async Task A_plug_in_is_read_from_a_real_API_as_from_its_files(string name)
    {
        var api = await PrivateKubeApi.StartAsync(KubeApiServer.Options(), Cancel);
        try
        {
            using var admin = api.Client();
            await CreateAsync(admin, name);
            await using var stream = new InventoryStream(new KubernetesOptions { Kubeconfig = api.Kubeconfig }, new Fixed(await CannedCluster.ObserveAsync(name)));
            var expected = Expected(name);
            var seen = await stream.UntilAsync(i => i.Nodes.Count == expected.Nodes.Count, Cancel);
            Assert.Equal(expected.Networking, seen.Networking);
            Assert.Equal(expected.PodCidrs, seen.PodCidrs);
            Assert.Equal(expected.ServiceCidrs, seen.ServiceCidrs);
            Assert.Equal(expected.Nodes, seen.Nodes.ToDictionary(n => n.Name, n => n.PodCidrs));
        }
        finally
        {
            await api.DeleteAsync(CancellationToken.None);
        }
    }

    static async Task CreateAsync(IKubernetes admin, string name)
    {
        await CalicoKinds.DefineAsync(admin, Cancel);
        var snapshot = CannedCluster.Read(name);
        var cni = snapshot.Settings.Cni;
        foreach (var space in cni.DaemonSets.Select(d => d.Metadata.NamespaceProperty).Distinct().Except(["kube-system"]))
        {
            await admin.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new() { Name = space } }, cancellationToken: Cancel);
        }

        // No controller makes them here, and no pod is admitted without.
        foreach (var space in cni.SomePods.Select(p => p.Metadata.NamespaceProperty).Distinct())
        {
            await admin.CoreV1.CreateNamespacedServiceAccountAsync(new V1ServiceAccount { Metadata = new() { Name = "default" } }, space, cancellationToken: Cancel);
        }

        foreach (var node in snapshot.Nodes)
        {
            var made = await admin.CoreV1.CreateNodeAsync(node, cancellationToken: Cancel);
            await admin.SetNodeStatusAsync(made, new NodeObject(node.Metadata.Name), Cancel);
        }

        foreach (var set in cni.DaemonSets)
        {
            await admin.AppsV1.CreateNamespacedDaemonSetAsync(set, set.Metadata.NamespaceProperty, cancellationToken: Cancel);
        }

        foreach (var map in CannedCluster.ConfigMaps(name))
        {
            await admin.CoreV1.CreateNamespacedConfigMapAsync(map, map.Metadata.NamespaceProperty, cancellationToken: Cancel);
        }

        foreach (var pod in cni.SomePods)
        {
            pod.Spec.AutomountServiceAccountToken = false;
            var made = await admin.CoreV1.CreateNamespacedPodAsync(new V1Pod { Metadata = pod.Metadata, Spec = pod.Spec }, pod.Metadata.NamespaceProperty, cancellationToken: Cancel);
            made.Status = new V1PodStatus { Phase = pod.Status.Phase, PodIP = pod.Status.PodIP, PodIPs = [new V1PodIP { Ip = pod.Status.PodIP }] };
            await admin.CoreV1.ReplaceNamespacedPodStatusAsync(made, made.Metadata.Name, made.Metadata.NamespaceProperty, cancellationToken: Cancel);
        }

        foreach (var (plural, items) in new[] { ("ippools", cni.Calico.Pools), ("blockaffinities", cni.Calico.BlockAffinities) })
        {
            foreach (var item in items)
            {
                await admin.CustomObjects.CreateClusterCustomObjectAsync(item, CalicoKinds.Group, CalicoKinds.Version, plural, cancellationToken: Cancel);
            }
        }
    }

    static Case Expected(string name) =>
        JsonSerializer.Deserialize<Case>(File.ReadAllText(Path.Combine(CannedCluster.Folder, name + ".json")), MeshJson.Options)!;

    sealed record Case(ValueList<Cidr> PodCidrs, ValueList<Cidr> ServiceCidrs, Dictionary<string, ValueList<Cidr>> Nodes, ClusterNetworking Networking);

    sealed record Fixed(IReadOnlyDictionary<string, NodeObservation> Current) : INodeObservations;
}
