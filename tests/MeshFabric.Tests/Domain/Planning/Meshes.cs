using System.Net;
using CsCheck;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Tests.Domain.Planning;

/// <summary>Facts for tests: what the control service would store for clusters that join one after another.</summary>
static class Meshes
{
    /// <summary>Clusters as (name, gateways, local CIDRs), joined in that order through the address planner.</summary>
    public static MeshFacts Of(params (string Name, int Gateways, string[] Cidrs)[] clusters) =>
        Join(clusters.Select(c => (c.Name, c.Gateways, c.Cidrs.Select(Cidr.Parse).ToArray())));

    public static MeshFacts Join(IEnumerable<(string Name, int Gateways, Cidr[] Cidrs)> clusters)
    {
        var settings = MeshSettings.Default;
        var prefixes = new Dictionary<string, ClusterPrefixes>();
        var facts = new List<ClusterFacts>();
        var addresses = new List<Cidr>();
        var revision = 0L;
        foreach (var (name, count, cidrs) in clusters)
        {
            foreach (var changed in AddressPlanner.Plan(settings, prefixes.Values.ToList(), Id(name), name, cidrs).Changed)
            {
                prefixes[changed.ClusterId] = changed;
            }

            var gateways = Enumerable.Range(0, count).Select(i =>
            {
                var own = AddressPlanner.TunnelAddresses(settings, addresses);
                addresses.AddRange(own);
                return Gateway(name, i, own);
            }).ToValueList();
            facts.Add(new ClusterFacts(Id(name), name, ++revision, ClusterKind.Site, ClusterLocation.Unknown, [], [], gateways));
        }

        return new MeshFacts(revision, settings, facts.Select(f => f with { Prefixes = prefixes[f.Id].Prefixes }).OrderBy(f => f.Name, StringComparer.Ordinal).ToValueList());
    }

    /// <summary>As <see cref="Of(ValueTuple{string, int, string[]}[])"/>, each cluster with a label "role" and a region where they are not empty.</summary>
    public static MeshFacts Of(Topology topology, params (string Name, int Gateways, string[] Cidrs, string Role, string Region)[] clusters)
    {
        var facts = Located(Of(clusters.Select(c => (c.Name, c.Gateways, c.Cidrs)).ToArray()), name => clusters.Where(c => c.Name == name).Select(c => (c.Role, c.Region)).Single());
        return Numbered(facts with { Settings = facts.Settings with { Topology = topology } })!;
    }

    public static MeshFacts Located(MeshFacts facts, Func<string, (string Role, string Region)> where) => facts with
    {
        Clusters = facts.Clusters.Select(c => c with
        {
            Declared = [.. new[] { new Label(LabelSelector.RegionKey, where(c.Name).Region), new Label("role", where(c.Name).Role) }.Where(l => l.Value.Length > 0)],
        }).ToValueList(),
    };

    /// <summary>With the numbers that the control service gives the gateways of hubs; null when there are too many.</summary>
    public static MeshFacts? Numbered(MeshFacts facts)
    {
        var changes = HubOrdinals.Changes(MeshGraph.Of(facts), new HashSet<string>(), out var excess);
        return excess.Count > 0 ? null : facts with
        {
            Clusters = facts.Clusters.Select(c => c with { Gateways = c.Gateways.Select(g => g with { Ordinal = changes.GetValueOrDefault(g.Id, g.Ordinal) }).OrderBy(g => g.Ordinal).ToValueList() }).ToValueList(),
        };
    }

    /// <summary>These clusters' gateways can only dial out; the others relay.</summary>
    public static MeshFacts Hidden(MeshFacts facts, params string[] clusters)
    {
        var hidden = facts.Clusters.Select(c => clusters.Contains(c.Name) ? c with { Gateways = c.Gateways.Select(g => g with { Endpoints = [] }).ToValueList() } : c).ToList();
        var relays = RelayPlanner.Plan(hidden, MeshGraph.Of(facts), _ => true, (_, _) => null);
        return facts with { Clusters = hidden.Select(c => c with { Gateways = c.Gateways.Select(g => g with { Relays = relays.GetValueOrDefault(g.Id) ?? [] }).ToValueList() }).ToValueList() };
    }

    /// <summary>The tunnels of these clusters end on each node: gateway k has the k-th part of each prefix for its node's pods, and as many leaves the parts after that.</summary>
    public static MeshFacts Leafy(MeshFacts facts, int leaves, params string[] clusters)
    {
        var addresses = Gateways(facts).SelectMany(g => g.Gateway.TunnelAddresses).ToList();
        return facts with { Clusters = facts.Clusters.Select(c => clusters.Contains(c.Name) ? Leafy(c) : c).ToValueList() };

        ClusterFacts Leafy(ClusterFacts cluster) => cluster with
        {
            Granularity = Granularity.Node,
            Gateways = cluster.Gateways.Select((g, i) => g with { Pods = PartsOf(cluster, i) }).Concat(Enumerable.Range(0, leaves).Select(i =>
            {
                var own = AddressPlanner.TunnelAddresses(facts.Settings, addresses);
                addresses.AddRange(own);
                var part = cluster.Gateways.Count + i;
                return Gateway(cluster.Name, part, own) with { Id = LeafId(cluster.Name, i), Name = $"node-{i + 1}", Ordinal = GatewayFacts.LeafOrdinal, Pods = PartsOf(cluster, part) };
            })).ToValueList(),
        };
    }

    public static string LeafId(string cluster, int leaf) => $"l-{cluster}-{leaf + 1}";

    static ValueList<Cidr> PartsOf(ClusterFacts cluster, int part) => cluster.Prefixes.Where(p => !p.Services).Select(p => p.Local)
        .Select(p => Cidr.OfBits(p.Family, p.Bits + ((UInt128)part << (p.MaxLength - p.Length - 4)), p.Length + 4)).Order().ToValueList();

    public static GatewayConfig Plan(MeshFacts facts, string cluster, int ordinal = 0) =>
        MeshPlanner.Plan(facts, Id(cluster), GatewayId(cluster, ordinal));

    public static string Id(string cluster) => $"c-{cluster}";

    public static string GatewayId(string cluster, int ordinal) => $"g-{cluster}-{ordinal + 1}";

    public static IEnumerable<(ClusterFacts Cluster, GatewayFacts Gateway)> Gateways(MeshFacts facts) =>
        facts.Clusters.SelectMany(c => c.Gateways.Select(g => (c, g)));

    /// <summary>A few clusters whose CIDRs often collide.</summary>
    public static readonly Gen<MeshFacts> Any =
        Gen.Select(Gen.Int[1, 3], OneOf("10.10.0.0/16", "10.20.0.0/16", "10.20.128.0/17", "10.0.0.0/12", "10.244.0.0/16", "fd10:1::/48", "fd10:1::/56"), OneOf("172.20.0.0/20", "10.20.0.0/16", "fd10:2::/64"))
            .Array[1, 7]
            .Select(rows => Join(rows.Select((r, i) => ($"c{i}", r.Item1, new[] { Cidr.Parse(r.Item2), Cidr.Parse(r.Item3) }))));

    static Gen<string> OneOf(params string[] texts) => Gen.Int[0, texts.Length - 1].Select(i => texts[i]);

    static GatewayFacts Gateway(string cluster, int ordinal, ValueList<Cidr> addresses)
    {
        var seed = System.Security.Cryptography.SHA256.HashData(System.Text.Encoding.UTF8.GetBytes($"{cluster}/{ordinal}"));
        var endpoint = new UdpEndpoint(new IPAddress([198, 51, seed[0], seed[1]]), 51820);
        return new GatewayFacts(GatewayId(cluster, ordinal), $"gw{ordinal + 1}", ordinal, new PublicKey(seed), 51820, [endpoint], addresses);
    }
}
