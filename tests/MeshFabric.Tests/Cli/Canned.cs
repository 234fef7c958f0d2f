using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;

namespace MeshFabric.Tests.Cli;

/// <summary>A mesh of three clusters that never changes: borealis keeps 10.20.0.0/16, cirrus has the same and is remapped.</summary>
static class Canned
{
    public static readonly DateTimeOffset Now = new(2027, 1, 31, 12, 0, 0, TimeSpan.Zero);

    static readonly Dictionary<string, string> NoLabels = [];

    public static readonly MeshPrefix AuroraPrefix = new(Cidr.Parse("10.10.0.0/16"), Cidr.Parse("10.10.0.0/16"));
    public static readonly MeshPrefix BorealisPrefix = new(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.65.0.0/16"));
    public static readonly MeshPrefix CirrusPrefix = new(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.64.0.0/16"));

    public static ClusterResource Cluster(string name, string state, string provider, int gateways, params MeshPrefix[] prefixes) => new(
        new Metadata(name, $"c-{name}", "7", Now.AddDays(-3), name == "aurora" ? new Dictionary<string, string> { ["env"] = "production" } : NoLabels),
        new ClusterSpec(ClusterKind.Site, provider, provider.Length > 0 ? "eu-1" : "", "", prefixes.Select(p => p.Local).ToValueList(), []),
        new ClusterStatus(state, 7, prefixes.ToValueList(), gateways, gateways, gateways, gateways, "", [], [], []));

    static readonly ClusterNetworking Networking = new(
        new DataPath(CniPlugin.Flannel, "vxlan", "v0.26.1", "kube-flannel", "DaemonSet kube-flannel/kube-flannel-ds"),
        new PolicyEngine("none", "no DaemonSet of an engine"),
        new ServiceProxy("kube-proxy", "iptables", [AuroraPrefix.Local], "DaemonSet kube-system/kube-proxy"),
        "kube-flannel-cfg",
        "kubeadm-config",
        [new Finding(FindingSeverity.Warning, "cni-several-configs", "node/n2", "n2 has several CNI configurations.", "Remove those that a former plug-in left in /etc/cni/net.d.")]);

    public static readonly ClusterResource Aurora = Kubernetes(Cluster("aurora", "connected", "aws", 1, AuroraPrefix));
    public static readonly ClusterResource Borealis = Cluster("borealis", "connected", "gcp", 1, BorealisPrefix);
    public static readonly ClusterResource Cirrus = Cluster("cirrus", "pending", "", 0, CirrusPrefix);

    static ClusterResource Kubernetes(ClusterResource cluster) =>
        cluster with { Spec = cluster.Spec with { Kind = ClusterKind.Kubernetes }, Status = cluster.Status with { KubernetesVersion = "v1.33.1", Networking = Networking } };

    public static GatewayResource Gateway(string cluster, byte key, string? endpoint) => new(
        new Metadata($"{cluster}/gw1", $"g-{cluster}", "9", Now.AddDays(-3), NoLabels),
        new GatewaySpec(cluster, "gw1", 0, Key(key), 51820, endpoint is null ? [] : [UdpEndpoint.Parse(endpoint)], [Cidr.Parse($"198.19.0.{key}/32")]),
        new GatewayStatus("connected", Now.AddSeconds(-4), "0.1.0", "kernel", 7, 7, 1, 1, []));

    public static readonly GatewayResource AuroraGateway = Gateway("aurora", 1, "198.51.100.1:51820");
    public static readonly GatewayResource BorealisGateway = Gateway("borealis", 2, null);

    public static TunnelResource Tunnel(string state = "connected", TunnelState side = TunnelState.Connected) => new(
        new Metadata("aurora.gw1--borealis.gw1", "g-aurora--g-borealis", "1", Now.AddDays(-3), NoLabels),
        new TunnelSpec(new TunnelEnd("aurora", "gw1", "mf0", Key(1), false), new TunnelEnd("borealis", "gw1", "mf0", Key(2), true)),
        new TunnelStatus(state, "direct",
            new TunnelSide(side, UdpEndpoint.Parse("203.0.113.9:40001"), Now.AddSeconds(-75), 0.0123, 0, 3_500_000, 900, Now.AddSeconds(-2)),
            new TunnelSide(side, UdpEndpoint.Parse("198.51.100.1:51820"), Now.AddSeconds(-74), 0.0125, 0.05, 900, 3_500_000, Now.AddSeconds(-3))));

    public static MeshResource Mesh(string state = "progressing") => new(state, 7, "0.1.0", 3, 2, 2, 2, 1, 1, 0, 1, state == "ready" ? [] : ["Cluster cirrus has no gateway yet."]);

    public static GatewayExplanation Explanation(string cluster, string far, Cidr farPrefix, params string[] differences)
    {
        var peer = new TunnelPeer(far, "gw1", Key(2), [], false, 25, [farPrefix], [Cidr.Parse("198.19.0.2/32")]);
        var wanted = new GatewayConfig(7, cluster, "gw1", [new TunnelDevice("mf0", 0, 51820, [Cidr.Parse("198.19.0.1/32")], [peer])],
            [new MeshRoute(farPrefix, Cidr.Parse("198.19.0.1/32"), [new NextHop("mf0", far, "gw1")])],
            new FirewallConfig(cluster == "borealis" ? [new Translation(BorealisPrefix.Local, BorealisPrefix.Alias!, [])] : [], [], [farPrefix], []), []);
        var actual = new GatewayActual([new ActualDevice("mf0", 51820, 1420, [])], differences.Length > 0 ? [] : [new ActualRoute(farPrefix, ["mf0"])], true);
        return new GatewayExplanation(cluster, "gw1", wanted, actual, Now.AddSeconds(-1), differences);
    }

    public static ProbeResource Probe(string state = "completed", int received = 4, bool answered = true) => new("p-1", "aurora", "borealis", state, Now,
    [
        new ProbeGatewayResult("aurora", "gw1", answered, answered ? [Result(received)] : []),
        new ProbeGatewayResult("borealis", "gw1", answered, answered ? [Result(received)] : []),
    ]);

    static ProbeResult Result(int received) => new("mf0", "gw1", 4, received, Enumerable.Repeat(0.0121, received).ToValueList(), "");

    public static readonly EventResource[] Events =
    [
        new(41, Now.AddMinutes(-90), "cluster-joined", "info", "cluster/aurora", "admin", "Cluster aurora joined."),
        new(42, Now.AddMinutes(-5), "tunnel-down", "error", "tunnel/aurora.gw1--borealis.gw1", "agent/aurora/gw1", "No answer \u001b[31mfor 3 s."),
    ];

    public static readonly JoinTokenResource JoinToken = new(new Metadata("j-5n2x", "j-5n2x", "0", Now, NoLabels), new JoinTokenSpec("aurora", Now.AddMinutes(15), 1, "for gw2"), new JoinTokenStatus("active", 0, null));

    public static readonly JoinTokenResource StandingToken = new(new Metadata("j-7s4d", "j-7s4d", "3", Now, NoLabels), new JoinTokenSpec("aurora", null, null, "agents of aurora", true), new JoinTokenStatus("active", 3, null));

    public static readonly ApiTokenResource ApiToken = new(new Metadata("ci", "t-77", "0", Now, NoLabels), new ApiTokenSpec("operator", null, ""), new ApiTokenStatus("active", Now.AddMinutes(-1), null));

    public static readonly TopologyResource Topology = new(
        new Metadata(TopologyResource.TheName, TopologyResource.TheName, "7", Now, NoLabels),
        new TopologySpec("regions", "role=hub", "meshfabric.io/region", true),
        new TopologyStatus(7, 1,
        [
            new TopologyCluster("aurora", "hub", "eu-1", 1, 1, 0, []),
            new TopologyCluster("borealis", "spoke", "eu-1", 1, 0, 1, ["cirrus"]),
            new TopologyCluster("cirrus", "spoke", "", 0, 0, 12, ["aurora", "borealis"]),
        ])
        { Warnings = ["The region us has no hub: its clusters reach each other only."] });

    public static readonly ApplyResult Applied = new(false, 8, [new AppliedManifest("Topology", "mesh", "configured"), new AppliedManifest("Cluster", "aurora", "unchanged")],
        new TopologyDifference(3, 2, 0, 1, 1, [], ["borealis.gw1--cirrus.gw1"], ["aurora.gw1--borealis.gw1"], [new PathDifference("borealis", "cirrus", "direct", "by aurora")]));

    static PublicKey Key(byte value) => new(Enumerable.Repeat(value, PublicKey.Size).ToArray());

    /// <summary>Every answer of a control service that has this mesh.</summary>
    public static void Serve(FakeMesh mesh)
    {
        mesh.On("GET /version", new VersionResource("0.1.0", Api.Version));
        mesh.On("GET users/me", new CallerResource("admin", "t-1", "admin", null));
        mesh.On("GET mesh", Mesh());
        mesh.OnList("GET clusters", Aurora, Borealis, Cirrus);
        mesh.On("GET clusters/aurora", Aurora);
        mesh.On("GET clusters/borealis", Borealis);
        mesh.OnList("GET clusters/aurora/gateways", AuroraGateway, AuroraGateway with { Spec = AuroraGateway.Spec with { Name = "gw2" } });
        mesh.On("DELETE clusters/aurora", _ => new FakeMesh.Answer(204, null));
        mesh.On("GET gateways", context => context.Request.Query["cluster"].ToString() switch
        {
            "aurora" => List(AuroraGateway),
            "borealis" => List(BorealisGateway),
            _ => List(AuroraGateway, BorealisGateway),
        });
        mesh.On("GET gateways/aurora/gw1", AuroraGateway);
        mesh.On("DELETE gateways/aurora/gw1", _ => new FakeMesh.Answer(204, null));
        mesh.On("GET gateways/aurora/gw1/explanation", Explanation("aurora", "borealis", BorealisPrefix.Mesh));
        mesh.On("GET gateways/borealis/gw1/explanation", Explanation("borealis", "aurora", AuroraPrefix.Mesh));
        mesh.OnList("GET tunnels", Tunnel());
        mesh.On("GET topology", Topology);
        mesh.On("POST manifests/apply", context => new FakeMesh.Answer(200, Applied with { DryRun = context.Request.Query["dryRun"] == "true" }));
        mesh.On("PATCH clusters/aurora", Aurora);
        mesh.On("GET tunnels/aurora.gw1--borealis.gw1", Tunnel());
        mesh.OnList("GET prefixes", new PrefixResource("aurora", "cluster", AuroraPrefix.Local, AuroraPrefix.Mesh, false), new PrefixResource("cirrus", "cluster", CirrusPrefix.Local, CirrusPrefix.Mesh, true));
        mesh.OnList("GET address-pools", new AddressPoolResource(Cidr.Parse("100.64.0.0/10"), "remap", 2, 0.03125));
        mesh.OnList("GET address-conflicts", new AddressConflictResource(BorealisPrefix.Local, "borealis", CirrusPrefix.Local, "cirrus", "cirrus reaches borealis by 100.65.0.0/16; borealis reaches cirrus by 100.64.0.0/16"));
        mesh.On("POST address-plans", new AddressPlanResource([CirrusPrefix], null, []));
        mesh.OnList("GET join-tokens", JoinToken);
        mesh.On("POST join-tokens", JoinToken with { Status = JoinToken.Status with { Token = "mfj1_canned" } });
        mesh.On("DELETE join-tokens/j-5n2x", _ => new FakeMesh.Answer(204, null));
        mesh.OnList("GET api-tokens", ApiToken);
        mesh.On("POST api-tokens", ApiToken with { Status = ApiToken.Status with { Token = "mfa_t77_canned" } });
        mesh.On("DELETE api-tokens/ci", _ => new FakeMesh.Answer(204, null));
        mesh.OnList("GET events", Events);
        mesh.On("POST probes", Probe());
        mesh.On("POST clusters", Cirrus);
    }

    static FakeMesh.Answer List<T>(params T[] items) => new(200, new Page<T>(items, null, items.Length));
}
