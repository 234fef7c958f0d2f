using System.Net;
using k8s;
using MeshFabric.Lab;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

/// <summary>Nodes and clusters come and go; in a lab of their own, for no other test could run meanwhile.</summary>
public sealed class PowerTests
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task A_node_is_switched_off_and_on_and_a_removed_lab_leaves_no_trace()
    {
        var name = LabSpec.NameOfThisRun("power");
        var before = await TracesAsync(name);
        await using (var lab = await MeshFabric.Lab.Lab.CreateAsync(new LabSpec(name, [ClusterSpec.OfKubelets("aurora", "10.10.0.0/16") with { PointToPoint = true }]), null, Cancellation))
        {
            try
            {
                await SwitchAsync(lab);
            }
            finally
            {
                KeptLogs.Of(lab, Repository.Root, "kubernetes");
            }
        }

        Assert.Equal(before, await TracesAsync(name));
    }

    static async Task SwitchAsync(MeshFabric.Lab.Lab lab)
    {
        await using var cluster = await KubeCluster.StartAsync(lab, "aurora", [], Cancellation);
        var pods = await EchoWorkload.RunAsync(cluster, "power", 2, Cancellation);
        var (survivor, lost) = (cluster.HostOf(pods[0]), IPAddress.Parse(pods[1].Status.PodIP));
        Assert.Equal(survivor.Address, await PodClient.SeenAsAsync(survivor, lost, OneCluster.Limit, Cancellation));

        await cluster.Nodes[1].PowerOffAsync(Cancellation);
        Assert.False(cluster.Nodes[1].IsOn);
        Assert.Contains("switched off", (await lab.ExecAsync("aurora-n2", ["true"], Cancellation)).Error, StringComparison.Ordinal);
        Assert.Null(await PodClient.SeenAsAsync(survivor, lost, TimeSpan.FromSeconds(1), Cancellation));
        await Until.TrueAsync(() => NotReadyAsync(cluster), OneCluster.Limit, "the dead node to be seen", Cancellation);
        // Its pod is made anew on the node that is left. As an administrator says it is dead: Kubernetes 1.20 forgets to evict now and then
        // (its node lifecycle controller drops a node from the queue when its cache does not know yet what the controller itself just wrote).
        await cluster.Client.CoreV1.DeleteNamespacedPodAsync(pods[1].Metadata.Name, "power", gracePeriodSeconds: 0, cancellationToken: Cancellation);
        var moved = await EchoWorkload.UntilReadyAsync(cluster, "power", 2, Cancellation);
        Assert.All(moved, p => Assert.Equal("aurora-n1", p.Spec.NodeName));

        await cluster.Nodes[1].PowerOnAsync(Cancellation);
        await cluster.UntilReadyAsync(OneCluster.Limit, Cancellation);
        Assert.Equal("192.0.2.3\n", await lab.ShellAsync("aurora-n2", "ip -4 -o addr show eth0 | sed 's/.*inet //; s,/.*,,'", Cancellation));
        await cluster.Client.CoreV1.DeleteNamespacedPodAsync(moved[0].Metadata.Name, "power", cancellationToken: Cancellation);
        await cluster.Client.CoreV1.DeleteNamespacedPodAsync(moved[1].Metadata.Name, "power", cancellationToken: Cancellation);
        await Until.TrueAsync(
            async () => (await EchoWorkload.UntilReadyAsync(cluster, "power", 2, Cancellation)).Any(p => p.Spec.NodeName == "aurora-n2"),
            OneCluster.Limit, "a pod on the node that came back", Cancellation);
    }

    static async Task<bool> NotReadyAsync(KubeCluster cluster) =>
        (await cluster.Client.CoreV1.ReadNodeAsync("aurora-n2", cancellationToken: Cancellation)).Status.Conditions.Any(c => c is { Type: "Ready", Status: not "True" });

    /// <summary>What a lab of this name might leave: links, namespaces, mounts, cgroups, files, processes.</summary>
    static async Task<string> TracesAsync(string lab)
    {
        var script = $"""
            ip -o link | cut -d' ' -f2 | sort
            ls /run/netns 2>/dev/null | grep '^{lab}-' || true
            ls -d /run/containerd /run/wireguard /var/lib/kubelet /var/lib/cni /var/lib/meshfabric /etc/cni /opt/cni /opt/containerd /usr/libexec/kubernetes /lib/modules 2>/dev/null || true
            ls /var/lib/meshfabric-lab 2>/dev/null | grep '^{lab}$' || true
            nft list ruleset
            grep -c {lab} /proc/mounts || true
            find /sys/fs/cgroup -name 'mflab-{lab}-*' || true
            ps -eo args | grep '[/]{lab}/' || true
            sysctl vm.overcommit_memory vm.panic_on_oom kernel.panic kernel.panic_on_oops net.ipv4.ip_forward
            """;
        return (await Command.RunAsync(["sh", "-c", script], null, Cancellation)).Output;
    }
}
