using MeshFabric.Cli.Verifying;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;

namespace MeshFabric.Tests.Cli;

/// <summary>The judgement alone: evidence in, checks out.</summary>
public sealed class VerificationTests
{
    static readonly Evidence Healthy = new(Canned.Aurora, Canned.Borealis, [Canned.AuroraGateway, Canned.BorealisGateway], [Canned.Tunnel()],
        [Canned.Explanation("aurora", "borealis", Canned.BorealisPrefix.Mesh), Canned.Explanation("borealis", "aurora", Canned.AuroraPrefix.Mesh)], Canned.Probe(), Canned.Probe(), 1392, "");

    [Fact]
    public void A_healthy_pair_has_nothing_but_ok_and_no_hint()
    {
        var verification = Verification.Of(Healthy);

        Assert.True(verification.Success);
        Assert.All(verification.Checks, c => Assert.Equal((CheckResult.Ok, null), (c.Result, c.Hint)));
        Assert.Equal(["clusters", "addresses", "tunnels", "gateways", "traffic"], verification.Checks.Select(c => c.Category).Distinct());
        Assert.Equal("14 checks of aurora and borealis: 14 ok, 0 warning(s), 0 failed, 0 skipped", verification.Summary);
    }

    static readonly Dictionary<string, (Func<Evidence> Evidence, string Found, string Detail)> Faults = new()
    {
        ["no gateway heard of"] = (() => Healthy with { A = State("unreachable", 0) }, "cluster-connected failed", "unreachable, 0 of 2 gateways"),
        ["one gateway of two"] = (() => Healthy with { A = State("degraded", 1) }, "cluster-connected warning", "1 of 2 gateways"),
        ["same prefix, no alias"] = (() => Healthy with { A = Prefixes(Canned.Aurora, new MeshPrefix(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.66.0.0/16"))), B = Prefixes(Canned.Borealis, new MeshPrefix(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("10.20.0.0/16"))) }, "prefix-reachable failed", "has no alias"),
        ["no prefix at all"] = (() => Healthy with { A = Prefixes(Canned.Aurora) }, "prefix-reachable warning", "only its tunnel addresses"),
        ["overlapping mesh prefixes"] = (() => Healthy with { A = Prefixes(Canned.Aurora, new MeshPrefix(Cidr.Parse("10.10.0.0/16"), Cidr.Parse("100.65.128.0/17"))) }, "prefixes-disjoint failed", "100.65.128.0/17 and 10.20.0.0/16"),
        ["remap not planned"] = (() => Healthy with { A = Prefixes(Canned.Aurora, new MeshPrefix(Cidr.Parse("10.10.0.0/16"), Cidr.Parse("100.70.0.0/16"))) }, "remaps-present failed", "gw1: 10.10.0.0/16 as 100.70.0.0/16 is not planned"),
        ["tables not in place"] = (() => Healthy with { Explanations = [Healthy.Explanations[0], Healthy.Explanations[1] with { Actual = Healthy.Explanations[1].Actual! with { FirewallInPlace = false } }] }, "remaps-present failed", "gw1: its tables are not in place"),
        ["tunnel down"] = (() => Healthy with { Tunnels = [Canned.Tunnel("down", TunnelState.Down)] }, "tunnel-connected failed", "aurora/gw1 sees down to 203.0.113.9:40001 (UDP), last handshake 2027-01-31T11:58:45Z"),
        ["side never reported"] = (() => Healthy with { Tunnels = [Canned.Tunnel("unknown") with { Status = new TunnelStatus("unknown", "direct", null, null) }] }, "tunnel-connected failed", "aurora/gw1 has not reported"),
        ["tunnel missing"] = (() => Healthy with { Tunnels = [] }, "tunnels-planned failed", "0 tunnels for 1 pairs"),
        ["drift"] = (() => Healthy with { Explanations = [Canned.Explanation("aurora", "borealis", Canned.BorealisPrefix.Mesh, "Device mf0 is missing."), Healthy.Explanations[1]] }, "gateway-as-planned failed", "Device mf0 is missing."),
        ["never reported"] = (() => Healthy with { Explanations = [Healthy.Explanations[0] with { Actual = null }, Healthy.Explanations[1]] }, "gateway-as-planned failed", "has not reported yet"),
        ["no small packet returns"] = (() => Healthy with { Small = Canned.Probe(received: 0) }, "small-packets failed", "aurora/gw1 to gw1 (mf0): 0 of 4 came back"),
        ["agent silent"] = (() => Healthy with { Small = Canned.Probe("failed", answered: false) }, "small-packets failed", "the agent of aurora/gw1 did not answer"),
        ["gateway left out"] = (() => Healthy with { Small = Canned.Probe() with { Gateways = [.. Canned.Probe().Gateways.Select(g => g with { Results = [] })] } }, "small-packets failed", "aurora/gw1 has no tunnel to gw1"),
        ["device not up"] = (() => Healthy with { Full = Canned.Probe() with { Gateways = [.. Canned.Probe().Gateways.Select(g => g with { Results = [new ProbeResult("mf0", "gw1", 0, 0, [], "the tunnel device is not up")] })] } }, "full-size-packets failed", "the tunnel device is not up"),
        ["only full-size packets are lost"] = (() => Healthy with { Full = Canned.Probe(received: 0) }, "full-size-packets failed", "0 of 4 came back"),
        ["MTU not known"] = (() => Healthy with { Full = null, FullPayloadBytes = 0 }, "full-size-packets skipped", "MTU of the tunnels is not known"),
        ["nobody to measure"] = (() => Healthy with { Small = null, Full = null, ProbeError = "Cluster aurora has no gateway yet." }, "small-packets skipped", "Cluster aurora has no gateway yet."),
        ["some loss"] = (() => Healthy with { Small = Loss(96), Full = Loss(96) }, "loss warning", "16 of 400 lost (4%)"),
        ["much loss"] = (() => Healthy with { Small = Loss(80), Full = Loss(80) }, "loss failed", "80 of 400 lost (20%)"),
    };

    public static TheoryData<string> Names => new(Faults.Keys);

    [Theory]
    [MemberData(nameof(Names))]
    public void Each_fault_is_found_by_its_check_with_detail_and_hint(string fault)
    {
        var (evidence, found, detail) = Faults[fault];
        var verification = Verification.Of(evidence());

        var check = Assert.Single(verification.Checks.Where(c => $"{c.Id} {c.Result.ToString().ToLowerInvariant()}" == found && c.Detail.Contains(detail, StringComparison.Ordinal)).Take(1));
        Assert.Equal($"https://meshfabric.io/docs/verify#{check.Id}", check.Hint);
        Assert.True(verification.Success == !verification.Checks.Any(c => c.Result == CheckResult.Failed), fault);
        Assert.Equal(found.EndsWith("failed", StringComparison.Ordinal), !verification.Success);
    }

    [Theory]
    [InlineData("10.20.0.0/16", true, true)]
    [InlineData("100.99.0.0/16", true, false)]
    [InlineData("10.20.0.0/16", false, false)]
    public void That_the_topology_wants_no_tunnels_is_known_by_refusals_of_the_other_clusters_own_addresses_while_both_have_gateways(string refused, bool bothHaveGateways, bool apart)
    {
        var near = Healthy.Explanations[0];
        var evidence = Healthy with
        {
            Tunnels = [],
            Gateways = bothHaveGateways ? Healthy.Gateways : [Canned.AuroraGateway],
            Explanations = [near with { Wanted = near.Wanted with { Routes = [new MeshFabric.Domain.Planning.MeshRoute(Cidr.Parse(refused), null, [])] } }, Healthy.Explanations[1]],
        };
        Assert.Equal(apart, Verification.Of(evidence).Checks.Any(c => c.Detail.Contains("the topology wants none", StringComparison.Ordinal)));
    }

    [Fact]
    public void A_leaf_and_another_side_of_which_neither_can_be_dialled_need_no_tunnel()
    {
        var leaf = Canned.BorealisGateway with { Spec = Canned.BorealisGateway.Spec with { Name = "node-1", IsLeaf = true, Endpoints = [] } };
        Assert.Contains(Verification.Of(Healthy with { Gateways = [.. Healthy.Gateways, leaf] }).Checks, c => c.Detail.Contains("1 tunnels for 2 pairs", StringComparison.Ordinal));
        var hidden = Healthy.Gateways.Select(g => g with { Spec = g.Spec with { Endpoints = [] } });
        Assert.True(Verification.Of(Healthy with { Gateways = [.. hidden, leaf] }).Success);
    }

    [Fact]
    public void Every_hint_leads_to_a_heading_of_the_page()
    {
        var page = File.ReadAllText(Path.Combine(Repository(), "docs/verify.md"));
        var ids = Faults.Select(f => f.Value.Found.Split(' ')[0]).Distinct().ToList();

        Assert.Equal(10, ids.Count);
        Assert.All(ids, id => Assert.Contains($"\n### {id}\n", page, StringComparison.Ordinal));
    }

    [Fact]
    public void JUnit_has_a_suite_per_category_and_a_case_per_check()
    {
        var text = JUnit.Write(Verification.Of(Healthy with { Full = Canned.Probe(received: 0), Explanations = [Canned.Explanation("aurora", "borealis", Canned.BorealisPrefix.Mesh, "<mf0> & \u001b"), Healthy.Explanations[1]] }));

        var suites = System.Xml.Linq.XDocument.Parse(text).Root!;
        Assert.Equal(("14", "4"), (suites.Attribute("tests")!.Value, suites.Attribute("failures")!.Value));
        Assert.Equal(14, suites.Descendants("testcase").Count());
        Assert.Equal(4, suites.Descendants("failure").Count());
        Assert.Contains(suites.Descendants("failure"), f => f.Attribute("message")!.Value == "<mf0> & ?");
    }

    [Fact]
    public async Task The_command_prints_the_list_writes_the_report_and_ends_with_1_when_a_check_failed()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);
        var report = mfctl.PathOf("verify.xml");

        var good = await mfctl.RunAsync("verify", "aurora", "borealis", "--junit-report", report);
        Assert.True(good.Code == 0, $"{good}");
        Assert.Contains("\"payloadBytes\":1392", mesh.Bodies.Last(), StringComparison.Ordinal);
        Assert.Contains("failures=\"0\"", await File.ReadAllTextAsync(report), StringComparison.Ordinal);

        mesh.OnList("GET tunnels", Canned.Tunnel("down", TunnelState.Down));
        var bad = await mfctl.LineAsync("verify aurora borealis -o junit -q");
        Assert.Equal((1, ""), (bad.Code, bad.Error));
        Assert.StartsWith("<?xml", bad.Out, StringComparison.Ordinal);
        Assert.Equal(2, (await mfctl.LineAsync("cluster list -o junit")).Code);
        Assert.Equal(2, (await mfctl.LineAsync("verify aurora aurora")).Code);
        Assert.Equal(3, (await mfctl.LineAsync("verify aurora nobody")).Code);

        mesh.OnProblem("POST probes", 409, "no-gateway", "Cluster aurora has no gateway yet.");
        var unmeasured = await mfctl.LineAsync("verify aurora borealis");
        Assert.Contains("- skipped", unmeasured.Out, StringComparison.Ordinal);
    }

    static ClusterResource State(string state, int connected) => Canned.Aurora with { Status = Canned.Aurora.Status with { State = state, Gateways = 2, GatewaysConnected = connected } };

    static ClusterResource Prefixes(ClusterResource cluster, params MeshPrefix[] prefixes) => cluster with { Status = cluster.Status with { Prefixes = prefixes.ToValueList() } };

    static ProbeResource Loss(int received) => Canned.Probe() with
    {
        Gateways = [.. Canned.Probe().Gateways.Select((g, i) => g with { Results = [new ProbeResult("mf0", "gw1", 100, i == 0 ? received : received == 96 ? 96 : 80, [0.01], "")] })],
    };

    static string Repository([System.Runtime.CompilerServices.CallerFilePath] string file = "") => Path.GetFullPath(Path.Combine(Path.GetDirectoryName(file)!, "../../.."));
}
