using System.Globalization;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Cli.Verifying;

/// <summary>The judgement of everything between two clusters. Pure: no clock, no I/O.</summary>
sealed record Verification(string A, string B, bool Success, IReadOnlyList<Check> Checks)
{
    /// <summary>Loss from which traffic counts as broken, not only as disturbed.</summary>
    const double FailingLoss = 0.10;

    public static Verification Of(Evidence evidence)
    {
        Check[] checks = evidence.AreApart
            ? [.. Clusters(evidence), Check.Of("tunnels", "tunnels-planned", "they have a way to each other", CheckResult.Warning, "the topology wants none (mfctl topology get)"), .. Gateways(evidence)]
            : [.. Clusters(evidence), .. Addresses(evidence), .. Tunnels(evidence), .. Gateways(evidence), .. Traffic(evidence)];
        return new Verification(evidence.A.Metadata.Name, evidence.B.Metadata.Name, !checks.Any(c => c.Result == CheckResult.Failed), checks);
    }

    [System.Text.Json.Serialization.JsonIgnore]
    public string Summary => $"{Checks.Count} checks of {A} and {B}: {Count(CheckResult.Ok)} ok, {Count(CheckResult.Warning)} warning(s), {Count(CheckResult.Failed)} failed, {Count(CheckResult.Skipped)} skipped";

    int Count(CheckResult result) => Checks.Count(c => c.Result == result);

    static IEnumerable<Check> Clusters(Evidence evidence) => evidence.Clusters.Select(c =>
    {
        var healthy = c.Status.State == "connected" && c.Status.GatewaysConnected == c.Status.Gateways;
        // Enough is there to carry traffic, but not all.
        var some = c.Status.GatewaysConnected > 0;
        return Check.Of("clusters", "cluster-connected", $"{c.Metadata.Name} is connected", healthy ? CheckResult.Ok : some ? CheckResult.Warning : CheckResult.Failed,
            $"{c.Status.State}, {c.Status.GatewaysConnected} of {c.Status.Gateways} gateways heard of");
    });

    static IEnumerable<Check> Addresses(Evidence evidence)
    {
        foreach (var (near, far) in new[] { (evidence.A, evidence.B), (evidence.B, evidence.A) })
        {
            var (from, to) = (near.Metadata.Name, far.Metadata.Name);
            if (far.Status.Prefixes.Count == 0)
            {
                yield return Check.Of("addresses", "prefix-reachable", $"{from} can address {to}", CheckResult.Warning, $"{to} has no prefix: only its tunnel addresses are reachable");
                continue;
            }

            var seen = far.Status.Prefixes.Select(p => (Prefix: p, Seen: evidence.Seen(near, p))).ToList();
            var lost = seen.Where(s => s.Seen is null).Select(s => $"{s.Prefix.Mesh} overlaps what {from} uses itself, and has no alias").ToList();
            var found = seen.Select(s => s.Seen == s.Prefix.Local ? $"{s.Seen}" : $"{s.Prefix.Local} as {s.Seen}");
            yield return Check.Of("addresses", "prefix-reachable", $"{from} can address {to}", lost.Count > 0 ? CheckResult.Failed : CheckResult.Ok, string.Join("; ", lost.Count > 0 ? lost : found));
        }

        var overlaps = evidence.A.Status.Prefixes.SelectMany(a => evidence.B.Status.Prefixes.Where(b => Outside(a).Any(x => Outside(b).Any(x.Overlaps))).Select(b => $"{a.Mesh} and {b.Mesh}")).ToList();
        yield return Check.Of("addresses", "prefixes-disjoint", "mesh prefixes do not overlap", overlaps.Count > 0 ? CheckResult.Failed : CheckResult.Ok,
            overlaps.Count > 0 ? string.Join("; ", overlaps) : $"{evidence.A.Status.Prefixes.Count + evidence.B.Status.Prefixes.Count} prefixes");

        foreach (var cluster in evidence.Clusters)
        {
            var remaps = cluster.Status.Prefixes.SelectMany(p => Outside(p).Where(o => o != p.Local).Select(o => (p.Local, Outside: o))).ToList();
            if (remaps.Count == 0)
            {
                continue;
            }

            var missing = evidence.Explanations.Where(e => e.Cluster == cluster.Metadata.Name)
                .SelectMany(e => remaps.Where(r => !e.Wanted.Firewall.Translations.Any(t => t.Local == r.Local && t.Outside == r.Outside)).Select(r => $"{e.Gateway}: {r.Local} as {r.Outside} is not planned")
                    .Concat(e.Actual is { FirewallInPlace: false } ? [$"{e.Gateway}: its tables are not in place"] : Array.Empty<string>())).ToList();
            yield return Check.Of("addresses", "remaps-present", $"{cluster.Metadata.Name} remaps at its edge", missing.Count > 0 ? CheckResult.Failed : CheckResult.Ok,
                string.Join("; ", missing.Count > 0 ? missing : remaps.Select(r => $"{r.Local} as {r.Outside}")));
        }
    }

    static IEnumerable<Net.Cidr> Outside(MeshPrefix prefix) => prefix.Alias is null ? [prefix.Mesh] : [prefix.Mesh, prefix.Alias];

    static IEnumerable<Check> Tunnels(Evidence evidence)
    {
        var wanted = evidence.GatewaysOf(evidence.A).Sum(a => evidence.GatewaysOf(evidence.B).Count(b => HaveTunnel(a, b)));
        if (evidence.ByHubs is { Count: > 0 } hubs && evidence.Tunnels.Count == 0)
        {
            yield return Check.Of("tunnels", "tunnels-planned", "hubs hand on between them", CheckResult.Ok, $"by {string.Join(", ", hubs)}, as the topology wants");
        }
        else if (wanted == 0 || evidence.Tunnels.Count < wanted)
        {
            yield return Check.Of("tunnels", "tunnels-planned", "every pair of gateways has a tunnel", CheckResult.Failed, $"{evidence.Tunnels.Count} tunnels for {wanted} pairs of gateways");
        }

        foreach (var tunnel in evidence.Tunnels)
        {
            var (a, b) = (tunnel.Spec.A, tunnel.Spec.B);
            yield return Check.Of("tunnels", "tunnel-connected", $"{a.Cluster}/{a.Gateway} and {b.Cluster}/{b.Gateway} are connected",
                tunnel.Status.State == "connected" ? CheckResult.Ok : CheckResult.Failed,
                tunnel.Status.State == "connected" ? Where(tunnel) : $"{tunnel.Status.State}: {Side(a, tunnel.Status.A)}; {Side(b, tunnel.Status.B)}");
        }
    }

    static string Where(TunnelResource tunnel) => $"{tunnel.Status.B?.Endpoint?.ToString() ?? "?"} and {tunnel.Status.A?.Endpoint?.ToString() ?? "?"} (UDP)";

    static string Side(TunnelEnd end, TunnelSide? seen) => seen is null
        ? $"{end.Cluster}/{end.Gateway} has not reported"
        : $"{end.Cluster}/{end.Gateway} sees {seen.State.ToString().ToLowerInvariant()} to {(seen.Endpoint is { } e ? $"{e} (UDP)" : "no address")}, {(seen.LastHandshake is { } at ? $"last handshake {at:yyyy-MM-dd'T'HH:mm:ss'Z'}" : "no handshake")}";

    static IEnumerable<Check> Gateways(Evidence evidence) => evidence.Explanations.Select(e =>
        Check.Of("gateways", "gateway-as-planned", $"{e.Cluster}/{e.Gateway} runs what is planned",
            e.Actual is null || e.Differences.Count > 0 ? CheckResult.Failed : CheckResult.Ok,
            e.Differences.Count > 0 ? string.Join("; ", e.Differences) : e.Actual is null ? "its agent has not reported yet" : $"{e.Wanted.Devices.Count} devices, {e.Wanted.Routes.Count} routes"));

    static IEnumerable<Check> Traffic(Evidence evidence)
    {
        foreach (var (near, far) in new[] { (evidence.A, evidence.B), (evidence.B, evidence.A) })
        {
            yield return Packets(evidence, "small-packets", "small packets return", near, far, evidence.Small, evidence.ProbeError.Length > 0 ? evidence.ProbeError : "not measured");
        }

        foreach (var (near, far) in new[] { (evidence.A, evidence.B), (evidence.B, evidence.A) })
        {
            yield return Packets(evidence, "full-size-packets", $"packets of {evidence.FullPayloadBytes} bytes return", near, far, evidence.Full,
                evidence.ProbeError.Length > 0 ? evidence.ProbeError : "the MTU of the tunnels is not known");
        }

        var results = new[] { evidence.Small, evidence.Full }.OfType<ProbeResource>().SelectMany(p => p.Gateways).SelectMany(g => g.Results).ToList();
        var (sent, received) = (results.Sum(r => r.Sent), results.Sum(r => r.Received));
        var loss = sent == 0 ? 0 : 1 - ((double)received / sent);
        yield return Check.Of("traffic", "loss", "no packet is lost",
            sent == 0 ? CheckResult.Skipped : loss >= FailingLoss ? CheckResult.Failed : received < sent ? CheckResult.Warning : CheckResult.Ok,
            sent == 0 ? "not measured" : string.Create(CultureInfo.InvariantCulture, $"{sent - received} of {sent} lost ({loss * 100:0.#}%)"));
    }

    static Check Packets(Evidence evidence, string id, string what, ClusterResource near, ClusterResource far, ProbeResource? probe, string reason)
    {
        var name = $"{near.Metadata.Name} to {far.Metadata.Name}: {what}";
        if (probe is null)
        {
            return Check.Of("traffic", id, name, CheckResult.Skipped, reason);
        }

        var problems = new List<string>();
        var trips = new List<double>();
        // By hubs leaves are not asked.
        var others = evidence.GatewaysOf(far).Where(g => evidence.ByHubs.Count == 0 || !g.Spec.IsLeaf).ToList();
        foreach (var gateway in probe.Gateways.Where(g => g.Cluster == near.Metadata.Name))
        {
            var from = $"{gateway.Cluster}/{gateway.Gateway}";
            if (!gateway.Answered)
            {
                problems.Add($"the agent of {from} did not answer");
                continue;
            }

            var self = evidence.GatewaysOf(near).FirstOrDefault(g => g.Spec.Name == gateway.Gateway);
            problems.AddRange(others.Where(o => self is null || HaveTunnel(self, o)).Select(o => o.Spec.Name).Where(o => !gateway.Results.Any(r => r.PeerGateway == o || r.PeerGateway.StartsWith($"{o} by ", StringComparison.Ordinal))).Select(o => $"{from} has no tunnel to {o}"));
            problems.AddRange(gateway.Results.Where(r => r.Received == 0).Select(r => $"{from} to {r.PeerGateway} ({r.Device}): {(r.Error.Length > 0 ? r.Error : $"0 of {r.Sent} came back")}"));
            trips.AddRange(gateway.Results.SelectMany(r => r.RoundTripSeconds));
        }

        if (problems.Count == 0 && trips.Count == 0)
        {
            problems.Add($"{near.Metadata.Name} measured nothing");
        }

        return Check.Of("traffic", id, name, problems.Count > 0 ? CheckResult.Failed : CheckResult.Ok, problems.Count > 0
            ? string.Join("; ", problems)
            : string.Create(CultureInfo.InvariantCulture, $"{Received(probe, near):0} packets, {trips.Min() * 1000:0.0}/{trips.Average() * 1000:0.0}/{trips.Max() * 1000:0.0} ms"));
    }

    static bool HaveTunnel(GatewayResource a, GatewayResource b) => MeshPlanner.HaveTunnel((a.Spec.Endpoints.Count == 0, a.Spec.IsLeaf), (b.Spec.Endpoints.Count == 0, b.Spec.IsLeaf));

    static int Received(ProbeResource probe, ClusterResource near) => probe.Gateways.Where(g => g.Cluster == near.Metadata.Name).SelectMany(g => g.Results).Sum((ProbeResult r) => r.Received);
}
