using k8s;
using k8s.Models;
using MeshFabric.Lab.Kubelets;
using MeshFabric.TestKit;

namespace MeshFabric.Kubernetes.Tests;

/// <summary>The agent's image holds all that the agent starts, and works with a root file system that nothing can be written to.</summary>
[Collection(OneCluster.Name)]
public sealed class AgentImageTests(OneCluster one)
{
    const string Name = "agent-image";

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_program_that_the_agent_needs_runs_in_a_pod_of_its_image()
    {
        var client = one.Cluster.Client;
        await client.CoreV1.CreateNamespaceAsync(new V1Namespace { Metadata = new V1ObjectMeta { Name = Name } }, cancellationToken: Cancellation);
        // A pod needs the token of the namespace's service account, which a controller makes.
        await Until.TrueAsync(async () => await client.CoreV1.ListNamespacedSecretAsync(Name, cancellationToken: Cancellation) is { Items.Count: > 0 }, OneCluster.Limit, "the namespace's service account to have a token", Cancellation);
        await client.CoreV1.CreateNamespacedPodAsync(Pod(), Name, cancellationToken: Cancellation);
        var pod = await ReadAsync();
        await Until.TrueAsync(async () => (pod = await ReadAsync()).Status.Phase == "Running", OneCluster.Limit, () => $"the pod to run; it is {pod.Status.Phase}", Cancellation);

        Assert.Contains("0.1.0", await RunAsync("meshfabric-agent --version"), StringComparison.Ordinal);
        Assert.Contains("nf_tables", await RunAsync("iptables -V && iptables-nft -V"), StringComparison.Ordinal);
        Assert.Contains("legacy", await RunAsync("iptables-legacy -V"), StringComparison.Ordinal);
        Assert.Contains("wireguard-go", await RunAsync("wireguard-go --version"), StringComparison.Ordinal);
        Assert.Contains("ipset", await RunAsync("ipset version"), StringComparison.Ordinal);
        // As the agent starts it: in a session of its own, which ends with the device.
        await RunAsync("setsid -f wireguard-go mft9 </dev/null >/tmp/log 2>&1; for i in $(seq 50); do [ -e /sys/class/net/mft9 ] && break; sleep 0.1; done; ip link del mft9");
        // In the node's network, with rights enough to read what kube-proxy wrote there, and to write.
        Assert.Contains("KUBE-SERVICES", await RunAsync("iptables-save"), StringComparison.Ordinal);
        Assert.Contains("KUBE-SERVICES", await RunAsync("nft list ruleset"), StringComparison.Ordinal);
        Assert.Contains("image-test", await RunAsync("nft add table inet image-test; nft list tables; nft delete table inet image-test"), StringComparison.Ordinal);
        Assert.Contains("192.0.2.", await RunAsync("ip -4 addr show eth0"), StringComparison.Ordinal);
        Assert.Contains("Read-only", (await one.Cluster.ExecAsync(pod, Name, ["sh", "-c", "touch /opt/x"], Cancellation)).Error, StringComparison.Ordinal);

        Task<V1Pod> ReadAsync() => client.CoreV1.ReadNamespacedPodAsync(Name, Name, cancellationToken: Cancellation);

        async Task<string> RunAsync(string script) => (await one.Cluster.ExecAsync(pod, Name, ["sh", "-ec", script], Cancellation)).Checked($"'{script}' in the agent's image").Output;
    }

    static V1Pod Pod() => new()
    {
        Metadata = new V1ObjectMeta { Name = Name },
        Spec = new V1PodSpec
        {
            HostNetwork = true,
            TerminationGracePeriodSeconds = 0,
            Containers =
            [
                new V1Container
                {
                    Name = Name,
                    Image = KubeImages.AgentReference,
                    ImagePullPolicy = "Never",
                    Command = ["sleep", "2147483647"],
                    SecurityContext = new V1SecurityContext { Privileged = true, ReadOnlyRootFilesystem = true },
                    VolumeMounts = [new V1VolumeMount { Name = "tmp", MountPath = "/tmp" }, new V1VolumeMount { Name = "tmp", MountPath = "/run/wireguard" }],
                },
            ],
            Volumes = [new V1Volume { Name = "tmp", EmptyDir = new V1EmptyDirVolumeSource { Medium = "Memory" } }],
        },
    };
}
