using System.Net;
using MeshFabric.Lab;

namespace MeshFabric.Cni.Tests;

/// <summary>The plug-ins' states are real: without an exemption they hide sources, each as its rules say. What the product is measured by stands on this.</summary>
[Collection(WholeMachine.Name)]
public sealed class MasqueradingTests
{
    /// <summary>What a plug-in hides, besides local pods from remote ones, which all do.</summary>
    /// <param name="Remote">Remote pods from pods on other nodes than the one with the tunnel.</param>
    /// <param name="Within">Pods from pods of the same cluster on other nodes.</param>
    public sealed record Hides(bool Remote = false, bool Within = false);

    static readonly Dictionary<string, Hides> Plugins = new()
    {
        ["flannel-vxlan"] = new(Remote: true),
        ["flannel-host-gw"] = new(Remote: true),
        ["flannel-nftables"] = new(),
        ["calico-vxlan-3.28"] = new(),
        ["calico-vxlan"] = new(),
        ["calico-nftables"] = new(),
        ["calico-bgp"] = new(),
        ["canal"] = new(Remote: true),
        ["weave"] = new(Remote: true),
        ["bridge"] = new(Within: true),
        ["ptp"] = new(Within: true),
        ["kindnet"] = new(),
    };

    public static TheoryData<string> Names => [.. Plugins.Keys];

    [Theory]
    [MemberData(nameof(Names))]
    public async Task Sources_are_hidden_without_an_exemption_and_kept_with_an_identity_source_NAT_on_every_node(string plugin)
    {
        var hides = Plugins[plugin];
        await using var lab = await StandIn.CreateAsync(LabSpec.NameOfThisRun("masq"), plugin);
        IPAddress[] sources = [lab.Pod(1).Address!, lab.Pod(2).Address!, lab.Pod(3, 2).Address!, lab.Far.Address!];

        // The plug-in's own network works, and what leaves for the internet is the node's.
        foreach (var (from, to, node) in new[] { (lab.Pod(2), lab.Pod(1), 2), (lab.Pod(1), lab.Pod(3, 2), 1), (lab.Pod(3, 2), lab.Pod(2), 3) })
        {
            Assert.Equal(hides.Within ? lab.NodeAddress(node) : from.Address, await lab.SeenAsync(from, to));
        }

        Assert.Equal(lab.Pod(2).Address, await lab.SeenAsync(lab.Pod(2), lab.Pod(2, 2)));
        Assert.Equal(lab.NodeAddress(2), await lab.SeenAsync(lab.Pod(2), lab.Topology["control"]));

        foreach (var pod in new[] { lab.Pod(1), lab.Pod(2), lab.Pod(3, 2) })
        {
            Assert.DoesNotContain(Assert.IsType<IPAddress>(await lab.SeenAsync(pod, lab.Far)), sources);
        }

        Assert.Equal(lab.Far.Address, await lab.SeenAsync(lab.Far, lab.Pod(1)));
        foreach (var pod in new[] { lab.Pod(2), lab.Pod(3, 2) })
        {
            var seen = Assert.IsType<IPAddress>(await lab.SeenAsync(lab.Far, pod));
            Assert.Equal(hides.Remote, !seen.Equals(lab.Far.Address));
        }

        await lab.ExemptAsync();
        foreach (var pod in new[] { lab.Pod(1), lab.Pod(2), lab.Pod(3, 2) })
        {
            Assert.Equal(pod.Address, await lab.SeenAsync(pod, lab.Far));
            Assert.Equal(lab.Far.Address, await lab.SeenAsync(lab.Far, pod));
        }

        Assert.Equal(lab.NodeAddress(2), await lab.SeenAsync(lab.Pod(2), lab.Topology["control"]));
    }
}
