using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Topologies;
using MeshFabric.Net;

namespace MeshFabric.Domain.Planning;

/// <summary>Turns the facts about the mesh into what one gateway must run.</summary>
/// <remarks>
/// Pure: the same facts, in any order, give the same config, on an agent as in the control service. A fault in one cluster becomes a
/// <see cref="Finding"/> and spares the others. Time is linear in the number of gateways, but for sorting.
/// </remarks>
public static class MeshPlanner
{
    /// <summary>Devices are named by plane: mf0, mf1, ...</summary>
    public const string DevicePrefix = "mf";

    public static GatewayConfig Plan(MeshFacts facts, string clusterId, string gatewayId)
    {
        var findings = new List<Finding>();
        var clusters = FactsCheck.Sound(facts, findings);
        var cluster = clusters.Find(c => c.Id == clusterId);
        var gateway = cluster?.Gateways.FirstOrDefault(g => g.Id == gatewayId);
        if (cluster is null || gateway is null)
        {
            findings.Add(new Finding(FindingSeverity.Warning, "gateway-unknown", $"gateway/{gatewayId}",
                "This gateway is not part of the mesh's facts.", "It was removed, or is not enrolled yet: enrol it with a join token."));
            return GatewayConfig.None(facts.Revision, cluster?.Name ?? "", gateway?.Name ?? "") with { Findings = findings.ToValueList() };
        }

        var graph = MeshGraph.Of(facts.Settings.Topology, clusters);
        var remotes = clusters.Where(c => c.Id != clusterId).Select(c => Remote.Of(c, cluster, graph, findings)).ToList();
        var linked = remotes.FindAll(r => r.IsLinked);
        var relays = RelaysOf(gateway, linked);
        var devices = Devices(facts.Settings, gateway, remotes, relays, findings);
        return new GatewayConfig(
            facts.Revision,
            cluster.Name,
            gateway.Name,
            devices,
            Routes(gateway, remotes),
            Firewall(cluster, gateway, remotes, graph),
            findings.OrderBy(f => f.Subject, StringComparer.Ordinal).ThenBy(f => f.Code, StringComparer.Ordinal).ToValueList())
        {
            Ordinal = gateway.Ordinal,
            Granularity = cluster.Granularity,
            Sources = gateway.IsLeaf ? gateway.Pods : null,
            Key = gateway.NextKey is null ? null : gateway.ChangesKey ? gateway.NextKey : gateway.PublicKey,
            Drained = gateway.Drained,
            Relays = Relayed(gateway, linked),
            Transits = remotes.Where(r => r.Carriers.Count > 0)
                .Select(r => new TransitPath(r.Facts.Name, r.Facts.EdgeGateways.Select(g => new FarGateway(g.Name, g.TunnelAddresses)).ToValueList(), Hops(r).Select(h => h.Hop).ToValueList()))
                .ToValueList(),
        };
    }

    static ValueList<TunnelDevice> Devices(MeshSettings settings, GatewayFacts self, List<Remote> remotes, ILookup<string, PathCandidate> relays, List<Finding> findings)
    {
        var byPlane = new SortedDictionary<int, List<TunnelPeer>>();
        var handedOn = remotes.SelectMany(r => r.Carriers, (r, c) => (Carrier: c.Gateway.Id, Remote: r)).ToLookup(h => h.Carrier, h => h.Remote, StringComparer.Ordinal);
        foreach (var remote in remotes.Where(r => r.IsLinked))
        {
            foreach (var far in remote.Facts.Gateways.Where(g => HaveTunnel(self, g)))
            {
                var areHidden = self.IsHidden && far.IsHidden;
                var candidates = areHidden ? Candidates(self, far, relays) : [];
                if (areHidden && candidates.Count == 0)
                {
                    // Planned all the same: what is for the other side goes nowhere, and not in clear to wherever the host sends what it does not know.
                    findings.Add(new Finding(FindingSeverity.Error, "tunnel-no-endpoint", $"gateway/{remote.Facts.Name}/{far.Name}",
                        $"Neither this gateway nor {remote.Facts.Name}/{far.Name} has an endpoint that can be dialled, and no third gateway of the mesh sees both.",
                        "Give at least one of them, or a gateway of a third cluster, an endpoint: meshfabric-agent join --endpoint ADDRESS:PORT."));
                }

                if (!byPlane.TryGetValue(far.Ordinal, out var peers))
                {
                    byPlane[far.Ordinal] = peers = [];
                }

                peers.Add(Peer(settings, self, remote, far, handedOn[far.Id]) with { Candidates = candidates });
            }
        }

        return byPlane.Select(plane => new TunnelDevice(
            $"{DevicePrefix}{plane.Key}",
            plane.Key,
            self.ListenPort + plane.Key,
            self.TunnelAddresses,
            plane.Value.OrderBy(p => p.PublicKey).ToValueList())).ToValueList();
    }

    /// <summary>Whether two gateways of linked clusters have a tunnel. A leaf seeks nobody by path checks: what it cannot dial, and is not dialled by, it reaches by its cluster's gateways.</summary>
    public static bool HaveTunnel(GatewayFacts a, GatewayFacts b) => HaveTunnel((a.IsHidden, a.IsLeaf), (b.IsHidden, b.IsLeaf));

    /// <inheritdoc cref="HaveTunnel(GatewayFacts, GatewayFacts)"/>
    public static bool HaveTunnel((bool IsHidden, bool IsLeaf) a, (bool IsHidden, bool IsLeaf) b) => !(a.IsHidden && b.IsHidden && (a.IsLeaf || b.IsLeaf));

    static TunnelPeer Peer(MeshSettings settings, GatewayFacts self, Remote remote, GatewayFacts far, IEnumerable<Remote> handedOn)
    {
        var initiates = Initiates(self, far);
        return new TunnelPeer(
            remote.Facts.Name,
            far.Name,
            far.PublicKey,
            // The device that answers us there is the one of our own ordinal.
            far.Endpoints.Select(e => e.WithPort(e.Port + self.Ordinal)).ToValueList(),
            initiates,
            settings.KeepaliveSeconds,
            (far.IsLeaf ? remote.PodsOf(far) : remote.Prefixes).Concat(far.TunnelAddresses).Concat(handedOn.SelectMany(r => r.Prefixes.Concat(r.TunnelAddresses))).Order().ToValueList(),
            far.TunnelAddresses)
        {
            KeyEpoch = Math.Min(self.KeyEpoch, far.KeyEpoch),
            NextKey = far.NextKey,
            Beacons = far.IsLeaf ? [] : remote.Beacons,
        };
    }

    // Exactly one side of a pair, and both sides find the same one: crossing initiations under traffic can lock up for 5 to 20 s.
    /// <summary>Whether <paramref name="self"/> is the side of this pair that starts handshakes.</summary>
    public static bool Initiates(GatewayFacts self, GatewayFacts far) => (self.IsHidden, far.IsHidden) switch
    {
        (true, false) => true,
        (false, true) => false,
        _ => self.PublicKey.CompareTo(far.PublicKey) < 0,
    };

    static ValueList<PathCandidate> Candidates(GatewayFacts self, GatewayFacts far, ILookup<string, PathCandidate> relays) =>
        far.PrivateEndpoints.Select(e => new PathCandidate(CandidateKind.Private, e.WithPort(e.Port + self.Ordinal)))
            .Concat(far.ObservedEndpoints.Where(o => o.Plane == self.Ordinal).Select(o => new PathCandidate(CandidateKind.Observed, o.Endpoint)))
            .Concat(relays[far.Id])
            .DistinctBy(c => c.Endpoint)
            .ToValueList();

    /// <summary>By far gateway, where this one may be reached by a third: only by one that both have a tunnel to, for that is how it knows them.</summary>
    static ILookup<string, PathCandidate> RelaysOf(GatewayFacts self, List<Remote> linked) => linked
        .SelectMany(r => r.Facts.Gateways, (r, g) => (Cluster: r.Facts, Gateway: g, Address: g.Endpoints.FirstOrDefault(RelayPlanner.CanRelay)))
        .Where(r => r.Address is not null)
        .SelectMany(r => r.Gateway.Relays, (r, p) => (
            Far: p.FarOf(self.Id),
            Candidate: new PathCandidate(CandidateKind.Relay, r.Address!.WithPort(p.PortOf(self.Id)), $"{r.Cluster.Name}/{r.Gateway.Name}")))
        .Where(r => r.Far is not null)
        .ToLookup(r => r.Far!, r => r.Candidate, StringComparer.Ordinal);

    static ValueList<RelayedPair> Relayed(GatewayFacts self, List<Remote> remotes)
    {
        if (self.Relays.Count == 0)
        {
            return [];
        }

        var sides = remotes.SelectMany(r => r.Facts.Gateways, (r, g) => (r.Facts.Name, Gateway: g)).ToDictionary(g => g.Gateway.Id, StringComparer.Ordinal);
        return self.Relays.Where(r => sides.ContainsKey(r.First) && sides.ContainsKey(r.Second))
            .Select(r => new RelayedPair(Side(r.First, r.FirstPort), Side(r.Second, r.SecondPort)))
            .ToValueList();

        RelayedSide Side(string id, int port) => new(sides[id].Name, sides[id].Gateway.Name, sides[id].Gateway.PublicKey, port);
    }

    static ValueList<MeshRoute> Routes(GatewayFacts self, List<Remote> remotes)
    {
        var source4 = self.TunnelAddresses.FirstOrDefault(a => a.IsIPv4);
        var source6 = self.TunnelAddresses.FirstOrDefault(a => !a.IsIPv4);
        var routes = new List<MeshRoute>();
        foreach (var remote in remotes)
        {
            var hops = Hops(remote);
            // Its own addresses stay reachable: it is probed as before.
            var carriers = hops.Where(h => !h.Gateway.Drained || hops.TrueForAll(o => o.Gateway.Drained)).Select(h => h.Hop).ToValueList();
            var spares = hops.Select(h => h.Hop).Except(carriers).ToValueList();
            routes.AddRange(remote.Prefixes.Select(p => Route(p, carriers, spares)));
            // Refused: nobody may follow it to wherever the host sends what it does not know.
            routes.AddRange(remote.Unused.Select(p => Route(p, [])));
            var (ends, others) = remote.IsLinked ? (remote.Facts.Gateways.Where(g => HaveTunnel(self, g)).ToList(), remote.Facts.Gateways.Where(g => !HaveTunnel(self, g))) : ([], remote.Facts.Gateways);
            routes.AddRange(ends.SelectMany(g => g.TunnelAddresses.Select(a => Route(a, [HopTo(remote, g)]))));
            routes.AddRange(others.SelectMany(g => g.TunnelAddresses.Select(a => Route(a, carriers, spares))));
            // A node that becomes a gateway is both for a moment.
            routes.AddRange(ends.Where(g => !g.Drained && remote.Facts.Granularity == Granularity.Node).SelectMany(g => remote.PodsOf(g).Where(p => !remote.Prefixes.Contains(p)), (g, p) => (Pods: p, Gateway: g)).GroupBy(s => s.Pods)
                .Select(same => Route(same.Key, same.OrderBy(s => s.Gateway.Ordinal).Select(s => HopTo(remote, s.Gateway)).ToValueList()) with { IsShortcut = true }));
        }

        return routes.OrderBy(r => r.Destination).ToValueList();

        MeshRoute Route(Cidr to, ValueList<NextHop> by, ValueList<NextHop>? spares = null) => new(to, to.IsIPv4 ? source4 : source6, by) { Spares = spares is { Count: > 0 } ? spares : null };
    }

    /// <summary>By tunnels to its own gateways, or to those that hand on to them; sorted by device.</summary>
    static List<(GatewayFacts Gateway, NextHop Hop)> Hops(Remote remote) => remote.IsLinked
        ? remote.Facts.EdgeGateways.OrderBy(g => g.Ordinal).Select(g => (g, HopTo(remote, g))).ToList()
        : remote.Carriers.Select(c => (c.Gateway, new NextHop(DeviceOf(c.Gateway), c.Cluster.Name, c.Gateway.Name) { Towards = remote.Facts.Name })).ToList();

    static NextHop HopTo(Remote remote, GatewayFacts far) => new(DeviceOf(far), remote.Facts.Name, far.Name);

    static string DeviceOf(GatewayFacts far) => $"{DevicePrefix}{far.Ordinal}";

    static FirewallConfig Firewall(ClusterFacts self, GatewayFacts gateway, List<Remote> remotes, MeshGraph graph)
    {
        var translations = new List<Translation>();
        foreach (var prefix in self.Prefixes)
        {
            if (prefix.Alias is { } alias)
            {
                // Those who cannot see our mesh prefix see the alias; their gateways' own addresses (probes, ICMP errors) belong to them.
                var viewers = remotes.Where(r => graph.SeenBy(r.Facts, self, prefix) == alias)
                    .SelectMany(r => r.Prefixes.Concat(r.TunnelAddresses))
                    .Where(c => c.Family == alias.Family)
                    .Distinct().Order().ToValueList();
                if (viewers.Count > 0)
                {
                    translations.Add(new Translation(prefix.Local, alias, viewers) { Services = prefix.Services });
                }
            }

            if (prefix.IsRemapped)
            {
                translations.Add(new Translation(prefix.Local, prefix.Mesh, []) { Services = prefix.Services });
            }
        }

        return new FirewallConfig(
            translations.ToValueList(),
            self.Prefixes.Where(p => !p.Services).Select(p => p.Local).Order().ToValueList(),
            remotes.SelectMany(r => r.Addresses).Distinct().Order().ToValueList(),
            gateway.TunnelAddresses)
        {
            Transits = graph.Transits(self),
            ServicePrefixes = self.Prefixes.Where(p => p.Services).Select(p => p.Local).Order().ToValueList(),
        };
    }
}
