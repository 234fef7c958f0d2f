using System.Diagnostics;
using System.Globalization;

namespace MeshFabric.EndToEnd.Tests.Chaos;

/// <summary>What may break, by chance.</summary>
sealed class Faults(ChaosMesh mesh)
{
    const string GatewayState = "/var/lib/meshfabric/gateway";

    /// <summary>One that may happen beside those that last: a cluster keeps one of its gateways, and somebody is there to be asked.</summary>
    public Fault Pick(Random random, IReadOnlyCollection<Fault> lasting)
    {
        var free = mesh.Nodes.Select(n => n.Name).Where(n => lasting.All(f => f.Node != n)).ToList();
        var mayFail = free.Where(n => ChaosMesh.IsGateway(n) && lasting.All(f => !f.TakesGateway || ChaosMesh.ClusterOf(f.Node!) != ChaosMesh.ClusterOf(n))).ToList();
        var isControlled = lasting.All(f => !f.TakesControl);
        var candidates = new List<Func<Fault>>();
        if (mayFail.Count > 0)
        {
            candidates.AddRange(OfGateways.Select(f => (Func<Fault>)(() => f(Any(mayFail)))));
        }

        if (free.Count > 0)
        {
            candidates.AddRange(OfNodes.Select(f => (Func<Fault>)(() => f(Any(free)))));
        }

        if (free.Where(ChaosMesh.IsGateway).ToList() is { Count: > 0 } gateways)
        {
            candidates.AddRange(OfTunnels.Select(f => (Func<Fault>)(() => f(Any(gateways), random))));
        }

        if (isControlled)
        {
            candidates.AddRange([ControlService, Database, Broker, Everything]);
            if (mayFail.Count > 0)
            {
                candidates.Add(() => StateDamaged(Any(mayFail)));
            }

            if (mayFail.Count > 0 && lasting.Count == 0)
            {
                candidates.AddRange([() => Drained(Any(mayFail)), () => KeysChanged(ChaosMesh.ClusterOf(Any(mayFail)))]);
            }
        }

        if (ChaosMesh.Clusters.Where(c => lasting.All(f => f.Kind != OfApi(c))).ToList() is { Count: > 0 } apis)
        {
            candidates.Add(() => Api(Any(apis)));
        }

        return candidates[random.Next(candidates.Count)]();

        string Any(IReadOnlyList<string> names) => names[random.Next(names.Count)];
    }

    IReadOnlyList<Func<string, Fault>> OfGateways =>
    [
        node => new("gateway killed", node, c => mesh.Mesh.SignalGatewayAsync(node, "KILL", c)) { UndoAsync = c => mesh.StartAgentAsync(node, c), TakesGateway = true, CutsPodsOff = true },
        node => new("gateway stopped", node, c => mesh.Mesh.SignalGatewayAsync(node, "STOP", c)) { UndoAsync = c => mesh.Mesh.SignalGatewayAsync(node, "CONT", c), TakesGateway = true, CutsPodsOff = true },
        node => new("uplink cut", node, c => Switch(node, "down", c)) { UndoAsync = c => Switch(node, "up", c), TakesGateway = true, CutsPodsOff = true },
        node => new("one packet in five lost", node, c => On(node, "nft 'table inet chaos { chain lossy { type filter hook prerouting priority -400; udp dport 51820-51827 numgen random mod 5 == 0 drop; }; }'", c)) { UndoAsync = c => On(node, "nft delete table inet chaos", c), TakesGateway = true },
    ];

    // What it knew it must ask for again.
    Fault StateDamaged(string node) => new("state damaged and agent killed", node, async c =>
    {
        await mesh.Mesh.KillAgentAsync(node, c);
        await On(node, $"printf '{{' >{GatewayState}/facts.json; printf '{{' >{GatewayState}/mesh-secrets.json; printf x >/var/lib/meshfabric/node/overlay.json", c);
        await mesh.StartAgentAsync(node, c);
    });

    IReadOnlyList<Func<string, Fault>> OfNodes =>
    [
        node => new("agent killed", node, c => mesh.Mesh.KillAgentAsync(node, c)) { UndoAsync = c => mesh.StartAgentAsync(node, c), TakesGateway = ChaosMesh.IsGateway(node), CutsPodsOff = true },
        node => new("agent stopped", node, c => mesh.Mesh.SignalAsync(node, "STOP", c)) { UndoAsync = c => mesh.Mesh.SignalAsync(node, "CONT", c), TakesGateway = ChaosMesh.IsGateway(node), CutsPodsOff = true },
        node => new("agent killed and started", node, async c =>
        {
            await mesh.Mesh.KillAgentAsync(node, c);
            await mesh.StartAgentAsync(node, c);
        }),
        node => new("our tables deleted", node, c => On(node, "nft delete table inet meshfabric; nft delete table inet meshfabric-node", c)),
        node => new("our routes flushed", node, c => On(node, "for t in 7710 7711 7712 7714; do ip route flush table $t; done", c)) { TakesRoutes = true },
        node => new("our rules deleted", node, c => On(node, "for p in 102 105 106 107; do while ip rule del priority $p 2>/dev/null; do :; done; done", c)) { TakesRoutes = true },
        node => new("overlay deleted", node, c => On(node, "ip link del meshx0", c)) { TakesRoutes = true },
        node => new("forwarding switched off", node, c => On(node, "echo 0 >/proc/sys/net/ipv4/ip_forward", c)),
        node => new("sources checked strictly", node, c => On(node, "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 1 >$f; done", c)),
        node => new("iptables' chains of ours flushed", node, c => On(node, "iptables-nft -F MESHFABRIC-TRANSIT; iptables-nft -P FORWARD DROP", c)) { UndoAsync = c => On(node, "iptables-nft -P FORWARD ACCEPT", c) },
    ];

    IReadOnlyList<Func<string, Random, Fault>> OfTunnels =>
    [
        (node, random) => OfDevice(node, random, "device deleted", "ip link del DEV"),
        (node, random) => OfDevice(node, random, "device down", "ip link set DEV down"),
        (node, random) => OfDevice(node, random, "addresses flushed", "ip addr flush dev DEV"),
        (node, random) => OfDevice(node, random, "peer removed", "wg set DEV peer $(wg show DEV peers | head -1) remove"),
        (node, random) => OfDevice(node, random, "wrong pre-shared key", "head -c 32 /dev/urandom | base64 >/run/wrong; wg set DEV peer $(wg show DEV peers | head -1) preshared-key /run/wrong; rm /run/wrong"),
        (node, random) => OfDevice(node, random, "wrong device key", "head -c 32 /dev/urandom | base64 >/run/wrong; wg set DEV private-key /run/wrong; rm /run/wrong"),
        (node, random) => new("tunnel's program killed", node, async c =>
        {
            var programs = (await mesh.Mesh.ProcessesAsync(node, c)).Where(p => p.Program == "wireguard-go").ToList();
            Process.GetProcessById(int.Parse(programs[random.Next(programs.Count)].Pid, CultureInfo.InvariantCulture)).Kill();
        }) { TakesRoutes = true },
    ];

    Fault OfDevice(string node, Random random, string kind, string script) =>
        new(kind, node, c => On(node, script.Replace("DEV", string.Create(CultureInfo.InvariantCulture, $"mf{random.Next(ChaosMesh.Gateways)}"), StringComparison.Ordinal), c)) { TakesRoutes = true };

    Fault ControlService() => new("control service killed", null, c => mesh.Mesh.Control.Service.StopAsync("KILL", c)) { UndoAsync = mesh.Mesh.Control.StartAsync, TakesControl = true };

    Fault Database() => new("PostgreSQL killed", null, mesh.Mesh.Control.Database.Kill9Async) { UndoAsync = mesh.Mesh.Control.StartAsync, TakesControl = true };

    Fault Broker() => new("RabbitMQ killed", null, mesh.Mesh.Control.Broker.Kill9Async) { UndoAsync = mesh.Mesh.Control.StartAsync, TakesControl = true };

    Fault Everything() => new("control service, PostgreSQL and RabbitMQ killed", null, mesh.Mesh.Control.Kill9Async) { UndoAsync = mesh.Mesh.Control.StartAsync, TakesControl = true };

    static string OfApi(string cluster) => $"API server of {cluster} killed";

    Fault Api(string cluster) => new(OfApi(cluster), null, mesh.Api($"{cluster}-n1").KillServerAsync) { UndoAsync = mesh.Api($"{cluster}-n1").StartServerAsync };

    Fault Drained(string node)
    {
        // Which of the gateways a node is, only its cluster's API knows: either will do.
        var gateway = $"{ChaosMesh.ClusterOf(node)}/gw{node[^1]}";
        return new($"{gateway} drained", node, c => mesh.Mesh.MfctlAsync(c, "gateway", "drain", gateway)) { UndoAsync = c => mesh.Mesh.MfctlAsync(c, "gateway", "undrain", gateway), TakesGateway = true, TakesControl = true };
    }

    Fault KeysChanged(string cluster) => new($"device keys of {cluster} changed", null, c => mesh.Mesh.MfctlAsync(c, "tunnel", "rotate-key", cluster, "--timeout", "120"));

    // What is not there cannot be taken away: no reason to stop.
    Task On(string node, string script, CancellationToken cancellationToken) => mesh.Lab.ShellAsync(node, $"set +e; {script}; true", cancellationToken);

    Task Switch(string node, string state, CancellationToken cancellationToken) => mesh.Lab.ShellAsync($"{ChaosMesh.ClusterOf(node)}-lan", $"ip link set {node.Split('-')[1]} {state}", cancellationToken);
}
