using System.Net;

namespace MeshFabric.Lab;

/// <summary>What a lab is made of. The same spec always gives the same names and addresses.</summary>
/// <param name="Name">Names the lab's directory and begins the name of each of its namespaces; at most 12 letters, digits and dashes.</param>
public sealed record LabSpec(string Name, IReadOnlyList<ClusterSpec> Clusters)
{
    /// <summary>Where all labs keep their files, one directory each.</summary>
    public const string Root = "/var/lib/meshfabric-lab";

    /// <summary>A name that no other process on this machine has, so that two runs do not remove each other's lab.</summary>
    /// <param name="prefix">At most 5 letters.</param>
    public static string NameOfThisRun(string prefix) => $"{prefix}{Environment.ProcessId}";

    public string Directory => Path.Combine(Root, Name);

    /// <summary>MTU of every underlay link, bytes.</summary>
    public int UnderlayMtu { get; init; } = 1500;

    /// <summary>The API server that operators on this machine reach is forwarded from this loopback port; 0 takes a free one.</summary>
    public int ApiPort { get; init; }

    /// <exception cref="ArgumentException">A name cannot be used, or there are more gateways than addresses.</exception>
    public void Check()
    {
        CheckName(Name, 12);
        foreach (var cluster in Clusters)
        {
            CheckName(cluster.Name, 40);
        }

        if (Clusters.Select(c => c.Name).Distinct(StringComparer.Ordinal).Count() != Clusters.Count)
        {
            throw new ArgumentException("two clusters of the lab have the same name");
        }

        for (var i = 0; i < Clusters.Count; i++)
        {
            CheckKubelets(Clusters[i], i);
        }

        if (Clusters.Count > 200 || Clusters.Sum(c => c.Cni is null ? c.Gateways : 0) > 64 || Clusters.Any(c => c.Gateways > 9 || c.Workers > 9))
        {
            throw new ArgumentException("a lab has at most 200 clusters, 64 gateways, and 9 gateways and 9 workers a cluster");
        }

        foreach (var cluster in Clusters.Where(c => c.Cni is not null))
        {
            CheckCni(cluster);
        }
    }

    void CheckCni(ClusterSpec cluster)
    {
        _ = Cni.CniPlugins.Of(cluster.Cni!);
        if (Clusters.TakeWhile(c => c != cluster).Count() >= 31 || cluster.Nodes is < 1 or > 6 || cluster.PodsPerWorker > 9)
        {
            throw new ArgumentException("clusters with a CNI plug-in are among the lab's first 31 and have 1 to 6 nodes of at most 9 pods");
        }

        if (cluster.PodCidr?.EndsWith("/16", StringComparison.Ordinal) != true || cluster.Nat is not null)
        {
            throw new ArgumentException($"'{cluster.Name}' has a CNI plug-in: its pod CIDR is an IPv4 /16, and it stands behind no NAT box");
        }

        if (cluster.PodCidr6 is not null && !Cni.CniPlugins.Of(cluster.Cni!).IsDualStack)
        {
            throw new ArgumentException($"'{cluster.Name}': the state of {cluster.Cni} that the lab makes has no IPv6");
        }
    }

    static void CheckKubelets(ClusterSpec cluster, int index)
    {
        if (cluster.Kubelets == 0)
        {
            return;
        }

        if (index >= 16 || cluster.Kubelets is < 0 or > 9 || cluster.SpareKubelets < 0 || cluster.SpareKubelets >= cluster.Kubelets)
        {
            throw new ArgumentException("clusters with kubelets are among the lab's first 16 and have at most 9 of them, not all to spare");
        }

        if (cluster.Gateways > 0 || cluster.Workers > 0 || cluster.Nat is not null || cluster.PodCidr?.EndsWith("/16", StringComparison.Ordinal) != true || cluster.PodCidr6 is not null)
        {
            throw new ArgumentException($"'{cluster.Name}' has kubelets: it has no gateways or workers of its own, no NAT box, and its pod CIDR is an IPv4 /16");
        }
    }

    static void CheckName(string name, int limit)
    {
        if (name.Length == 0 || name.Length > limit || !name.All(c => char.IsAsciiLetterLower(c) || char.IsAsciiDigit(c) || c == '-') || name[0] == '-')
        {
            throw new ArgumentException($"'{name}' cannot name a part of the lab: lower-case letters, digits and dashes, at most {limit}");
        }
    }
}

/// <summary>One cluster: gateways and workers on a LAN, pods behind the workers.</summary>
/// <param name="PodCidr">IPv4; worker k has its k-th /24. Null: no pods, a machine.</param>
public sealed record ClusterSpec(string Name, string? PodCidr)
{
    /// <summary>Name of the plug-in whose state the nodes have (<see cref="Cni.CniPlugins"/>). Then the cluster has nodes with public addresses instead of gateways and workers.</summary>
    public string? Cni { get; init; }

    /// <summary>Counts only with <see cref="Cni"/>; each has <see cref="PodsPerWorker"/> pods.</summary>
    public int Nodes { get; init; } = 3;

    /// <summary>A cluster of real kubelets.</summary>
    public static ClusterSpec OfKubelets(string name, string podCidr, int kubelets = 2) =>
        new(name, podCidr) { Kubelets = kubelets, Gateways = 0, Workers = 0, Kind = "kubernetes" };

    /// <summary>Machines that run a real kubelet, containerd and kube-proxy, with the API server on a machine of its own (<see cref="Kubelets.KubeCluster"/>). Then there are no gateways and workers.</summary>
    public int Kubelets { get; init; }

    /// <summary>With kubelets: so many of the last machines are no nodes yet (<see cref="Kubelets.KubeCluster.AddNodeAsync"/>).</summary>
    public int SpareKubelets { get; init; }

    /// <summary>With kubelets: pods hang on a veth each (the CNI plug-in ptp) instead of a bridge.</summary>
    public bool PointToPoint { get; init; }

    /// <summary>With kubelets: kube-proxy knows the pod CIDR, as kubeadm sets it, and masquerades whoever asks a ClusterIP from outside of it.</summary>
    public bool ProxyKnowsPodCidr { get; init; } = true;

    public int Gateways { get; init; } = 2;

    public int Workers { get; init; } = 1;

    public int PodsPerWorker { get; init; } = 2;

    /// <summary>IPv6, /56 or shorter; worker k has its k-th /64. Null: pods have IPv4 only.</summary>
    public string? PodCidr6 { get; init; }

    /// <summary>Kubernetes, site or machine, as the inventory file says it.</summary>
    public string Kind { get; init; } = "site";

    public string Provider { get; init; } = "";

    public string Region { get; init; } = "";

    /// <summary>MTU of pods and of the cluster's LAN, bytes.</summary>
    public int Mtu { get; init; } = 1500;

    /// <summary>What stands between the cluster's gateways and the internet; null: they have public addresses.</summary>
    public NatSpec? Nat { get; init; }

    /// <summary>True: workers hide their pods behind their own address towards everything, as a CNI without an exemption does.</summary>
    public bool MasqueradesMesh { get; init; }
}

/// <summary>A NAT box in front of a cluster's gateways; they can only dial out.</summary>
public sealed record NatSpec(NatKind Kind = NatKind.PortRestricted)
{
    /// <summary>What the box does with a packet from the internet that belongs to no mapping: false drops it, true accepts it for itself.</summary>
    public bool AcceptsStray { get; init; }

    /// <summary>A second box, port-restricted, stands between this one and the gateways.</summary>
    public bool IsDouble { get; init; }
}

/// <summary>Who from the internet gets through by a mapping (in the words of RFC 3489; RFC 4787 tells mapping and filtering apart).</summary>
public enum NatKind
{
    /// <summary>Whoever was sent to, address and port.</summary>
    PortRestricted,

    /// <summary>Everybody, on the port that the gateway sends from.</summary>
    FullCone,

    /// <summary>Whoever has an address that was sent to.</summary>
    Restricted,

    /// <summary>As port-restricted, and each destination is sent to from another port.</summary>
    Symmetric,
}

/// <summary>Fixed parts of every lab's internet.</summary>
public static class LabAddresses
{
    /// <summary>RFC 5737 TEST-NET-3.</summary>
    public static readonly IPAddress Control = IPAddress.Parse("203.0.113.2");

    public const int ControlPort = 8443;
    public const int BrokerPort = 5671;

    /// <summary>Of every API server with kubelets.</summary>
    public const int KubeApiPort = 6443;

    /// <summary>What workers send to the gateways besides the other clusters' own prefixes: remaps and tunnel addresses.</summary>
    public static readonly IReadOnlyList<string> MeshPools = ["100.64.0.0/10", "198.19.0.0/16"];

    public static readonly IReadOnlyList<string> MeshPools6 = ["fd6d:6600::/24", "fd6d:6700::/64"];
}
