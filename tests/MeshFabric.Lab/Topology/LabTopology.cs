using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Cni;
using MeshFabric.Net;

namespace MeshFabric.Lab.Topology;

/// <summary>Names and addresses of everything in a lab, computed from its spec alone.</summary>
public sealed class LabTopology
{
    static readonly Cidr Internet = Cidr.Parse("198.51.100.0/24");

    readonly Dictionary<string, LabHost> _hosts = new(StringComparer.Ordinal);

    public LabTopology(LabSpec spec)
    {
        spec.Check();
        Spec = spec;
        Add("inet", HostRole.Internet, "");
        Add("control", HostRole.Control, "", LabAddresses.Control);
        var wan = 0;
        Clusters = [.. spec.Clusters.Select((c, i) => new ClusterTopology(c, i + 1, wan += c.Cni is null ? c.Gateways : 0))];
        foreach (var cluster in Clusters)
        {
            AddCluster(cluster);
        }
    }

    public LabSpec Spec { get; }

    public IReadOnlyList<ClusterTopology> Clusters { get; }

    public IReadOnlyCollection<LabHost> Hosts => _hosts.Values;

    public IEnumerable<LabHost> Pods => _hosts.Values.Where(h => h.Role == HostRole.Pod);

    public IEnumerable<LabHost> Gateways => _hosts.Values.Where(h => h.Role == HostRole.Gateway);

    public IEnumerable<LabHost> Nodes => _hosts.Values.Where(h => h.Role == HostRole.Node);

    /// <exception cref="KeyNotFoundException">The message lists the hosts there are.</exception>
    public LabHost this[string name] =>
        _hosts.GetValueOrDefault(name) ?? throw new KeyNotFoundException($"the lab has no host '{name}'; it has {string.Join(", ", _hosts.Keys)}");

    public ClusterTopology Cluster(string name) => Clusters.Single(c => c.Spec.Name == name);

    /// <summary>The n-th address of a prefix.</summary>
    public static IPAddress At(Cidr cidr, int n) => Cidr.OfBits(cidr.Family, cidr.Bits + (uint)n, cidr.MaxLength).Address;

    /// <summary>The n-th part, of <paramref name="length"/> bits, of a prefix.</summary>
    public static Cidr Part(Cidr cidr, int length, int n) => Cidr.OfBits(cidr.Family, cidr.Bits + ((UInt128)n << (cidr.MaxLength - length)), length);

    /// <summary>The /30 of the n-th connection to the internet (from 0): the router has .1, the customer .2.</summary>
    public static Cidr Wan(int n) => Part(Internet, 30, n);

    void AddCluster(ClusterTopology cluster)
    {
        var name = cluster.Spec.Name;
        Add($"{name}-lan", HostRole.Switch, name);
        if (cluster.Spec.Cni is not null)
        {
            AddNodes(cluster, CniPlugins.Of(cluster.Spec.Cni));
            return;
        }

        if (cluster.Spec.Nat is not null)
        {
            Add($"{name}-nat", HostRole.Nat, name, At(cluster.WanOf(1), 2));
            if (cluster.Spec.Nat.IsDouble)
            {
                Add($"{name}-nat2", HostRole.Nat, name);
            }
        }

        if (cluster.Spec.Kubelets > 0)
        {
            Add($"{name}-api", HostRole.Api, name, At(cluster.PublicLan, 14));
        }

        for (var n = 1; n <= cluster.Spec.Kubelets; n++)
        {
            Add($"{name}-n{n}", HostRole.Node, name, At(cluster.PublicLan, 1 + n));
        }

        for (var g = 1; g <= cluster.Spec.Gateways; g++)
        {
            Add($"{name}-gw{g}", HostRole.Gateway, name, cluster.Spec.Nat is null ? At(cluster.WanOf(g), 2) : At(ClusterTopology.Inside, 10 + g));
        }

        for (var w = 1; w <= cluster.Spec.Workers; w++)
        {
            Add($"{name}-w{w}", HostRole.Worker, name, At(cluster.Lan, 20 + w));
            for (var p = 1; cluster.Spec.PodCidr is not null && p <= cluster.Spec.PodsPerWorker; p++)
            {
                var six = cluster.PodCidr6(w) is { } cidr ? At(cidr, 9 + p) : null;
                Add($"{name}-w{w}-p{p}", HostRole.Pod, name, At(cluster.PodCidr(w), 9 + p), six);
            }
        }
    }

    void AddNodes(ClusterTopology cluster, ICniPlugin plugin)
    {
        var name = cluster.Spec.Name;
        for (var n = 1; n <= cluster.Spec.Nodes; n++)
        {
            Add($"{name}-n{n}", HostRole.Node, name, At(cluster.PublicLan, 1 + n));
            for (var p = 1; p <= cluster.Spec.PodsPerWorker; p++)
            {
                Add($"{name}-n{n}-p{p}", HostRole.Pod, name, plugin.PodAddress(cluster, n, p), ReferenceCni.PodAddress6(cluster, n, p));
            }
        }
    }

    void Add(string name, HostRole role, string cluster, IPAddress? address = null, IPAddress? address6 = null) =>
        _hosts.Add(name, new LabHost(name, $"{Spec.Name}-{name}", role, cluster) { Address = address, Address6 = address6 });
}

/// <summary>Addresses of one cluster.</summary>
/// <param name="Index">From 1.</param>
/// <param name="wanEnd">One after the number of its last connection to the internet.</param>
public sealed class ClusterTopology(ClusterSpec spec, int index, int wanEnd)
{
    /// <summary>Between a NAT box and its gateways; every cluster may use the same.</summary>
    public static readonly Cidr Inside = Cidr.Parse("192.168.0.0/24");

    public ClusterSpec Spec => spec;

    public int Index => index;

    public Cidr Lan { get; } = Cidr.Parse($"172.31.{index}.0/24");

    /// <summary>Where nodes stand; the internet routes it, its router has the first address. Of RFC 5737: TEST-NET-1, then TEST-NET-3, in whose first part the control service is.</summary>
    public Cidr PublicLan => index <= 16 ? LabTopology.Part(Cidr.Parse("192.0.2.0/24"), 28, index - 1) : LabTopology.Part(Cidr.Parse("203.0.113.0/24"), 28, index - 16);

    public Cidr Lan6 { get; } = Cidr.Parse($"fd31:0:0:{index:x}::/64");

    public Cidr WanOf(int gateway) => LabTopology.Wan(WanNumber(gateway));

    public int WanNumber(int gateway) => wanEnd - spec.Gateways + gateway - 1;

    public Cidr PodCidr(int worker) => LabTopology.Part(Cidr.Parse(spec.PodCidr!), 24, worker);

    public Cidr? PodCidr6(int worker) => spec.PodCidr6 is null ? null : LabTopology.Part(Cidr.Parse(spec.PodCidr6), 64, worker);

    /// <summary>Destinations that this cluster's workers hand to their gateways.</summary>
    public IReadOnlyList<string> MeshDestinations(LabSpec lab, AddressFamily family)
    {
        var four = family == AddressFamily.InterNetwork;
        var own = four ? spec.PodCidr : spec.PodCidr6;
        var others = lab.Clusters.Select(c => four ? c.PodCidr : c.PodCidr6).OfType<string>().Distinct(StringComparer.Ordinal)
            .Where(c => own is null || !Cidr.Parse(c).Overlaps(Cidr.Parse(own)));
        return [.. others, .. four ? LabAddresses.MeshPools : LabAddresses.MeshPools6];
    }
}
