using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.TestKit;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Lab.Kubelets;

/// <summary>A machine of the lab that runs containerd, kubelet and kube-proxy, and the pods that are scheduled to it.</summary>
public sealed class KubeNode
{
    const string Script = "machine";
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    readonly Lab _lab;

    internal KubeNode(Lab lab, string cluster, int number)
    {
        _lab = lab;
        Number = number;
        Host = lab.Topology[$"{cluster}-n{number}"];
    }

    /// <summary>From 1.</summary>
    public int Number { get; }

    public LabHost Host { get; }

    /// <summary>Of its Node object, and of the lab's host.</summary>
    public string Name => Host.Name;

    public string Directory => _lab.HostDirectory(Name);

    public bool IsOn => Machine.Pid is not null;

    /// <summary>It was switched on, and its first process ended all the same.</summary>
    public bool IsBroken => File.Exists(Machine.PidFile) && !IsOn;

    ClusterTopology Cluster => _lab.Topology.Cluster(Host.Cluster);

    LabProcess Machine => _lab.Process(Name, Script);

    /// <summary>Switches it on. Pods come back by themselves, once kubelet finds the API server.</summary>
    public async Task PowerOnAsync(CancellationToken cancellationToken)
    {
        if (IsOn)
        {
            return;
        }

        var machine = Machine;
        File.Delete(machine.PidFile);
        (await InNetworkAsync($"{KubeNetwork.Reset}\nip -batch - <<'END'\n{string.Join('\n', KubeNetwork.Addresses(_lab.Topology, Cluster, Host))}\nEND\n", cancellationToken)).Checked($"resetting the network of {Name}");
        const string detached = "exec bash \"$0\" >>\"$1\" 2>&1 </dev/null";
        (await Command.RunAsync(["setsid", "--fork", "sh", "-c", detached, Path.Combine(Directory, Script), machine.LogFile], null, cancellationToken)).Checked($"switching {Name} on");
        await Until.TrueAsync(() => IsOn, Limit, () => $"{Name} to boot; its log:\n{machine.LogTail()}", cancellationToken);
    }

    /// <summary>Pulls the plug: no program of the node ends in order, and nothing answers any more.</summary>
    public async Task PowerOffAsync(CancellationToken cancellationToken)
    {
        // The kernel would go on forwarding and answering in a namespace whose programs are dead.
        (await InNetworkAsync($"ip link set {KubeNetwork.Card} down", cancellationToken)).Checked($"cutting {Name} off");
        await Machine.StopAsync("KILL", cancellationToken);
        File.Delete(Machine.PidFile);
        await NodeCgroups.RemoveAsync(Directory, cancellationToken);
    }

    internal void Write(PrivateKubeApi api, IEnumerable<string> images)
    {
        var etc = System.IO.Directory.CreateDirectory(Path.Combine(Directory, "etc")).FullName;
        void File(string name, string text) => System.IO.File.WriteAllText(Path.Combine(etc, name), text);
        void Secret(string name, string text) => KubeCertificates.WriteSecret(Path.Combine(etc, name), text);
        System.IO.File.WriteAllText(Path.Combine(Directory, Script), NodeScript.Text(Host, Directory, KubePrograms.Directory));
        File("containerd.toml", NodeFiles.Containerd(Directory));
        File("cni.conflist", NodeFiles.Cni(Cluster, Number));
        File("kubelet.yaml", NodeFiles.Kubelet(Directory));
        File("proxy.yaml", NodeFiles.Proxy(Cluster.Spec, Name, Directory));
        File("images", string.Concat(images.Select(i => i + "\n")));
        File("pod-cidr", Cluster.Spec.PodCidr + "\n");
        // Nobody answers names in a lab; an empty file keeps pods from asking this machine's servers.
        File("resolv.conf", "");
        File("ca.crt", System.IO.File.ReadAllText(api.PkiFile("ca.crt")));
        File("kubelet.crt", System.IO.File.ReadAllText(api.PkiFile(Name + ".crt")));
        Secret("kubelet.key", System.IO.File.ReadAllText(api.PkiFile(Name + ".key")));
        Secret("kubelet.kubeconfig", api.KubeconfigOf(Name));
        Secret("proxy.kubeconfig", api.KubeconfigOf("proxy"));
    }

    internal IEnumerable<string> Images() => File.ReadLines(Path.Combine(Directory, "etc", "images"));

    /// <summary>Its Node object is there: kubelet may begin.</summary>
    internal void Registered() => File.WriteAllText(Path.Combine(Directory, "registered"), "");

    /// <summary>The ends of its programs' logs.</summary>
    public string Logs() => string.Join('\n', new[] { Script, "containerd", "kubelet", "kube-proxy" }.Select(p => $"--- {p} of {Name}\n{_lab.Process(Name, p).LogTail(8)}"));

    Task<CommandResult> InNetworkAsync(string script, CancellationToken cancellationToken) =>
        Command.RunAsync(["ip", "netns", "exec", Host.Namespace, "sh", "-e"], script, cancellationToken);
}
