using System.Net;
using MeshFabric.Lab;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Cni.Tests;

/// <summary>A cluster with a CNI plug-in and a remote one that is reached by a hand-made tunnel of the first node: what a mesh does, without the product and without an exemption.</summary>
sealed class StandIn : IAsyncDisposable
{
    public const string Local = "10.244.0.0/16";
    public const string Remote = "10.245.0.0/16";

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(10);

    readonly PodServers _servers;

    StandIn(Lab.Lab lab)
    {
        Lab = lab;
        _servers = PodServers.Start(lab.Topology, lab.Topology["control"]);
    }

    public Lab.Lab Lab { get; }

    public LabTopology Topology => Lab.Topology;

    /// <summary>A pod of the remote cluster.</summary>
    public LabHost Far => Topology["far-w1-p1"];

    /// <summary>A pod of the cluster with the plug-in, on the node of this number.</summary>
    public LabHost Pod(int node, int pod = 1) => Topology[$"a-n{node}-p{pod}"];

    public IPAddress NodeAddress(int node) => Topology[$"a-n{node}"].Address!;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task<StandIn> CreateAsync(string name, string plugin)
    {
        var spec = new LabSpec(
            name,
            [
                new ClusterSpec("a", Local) { Cni = plugin },
                new ClusterSpec("far", Remote) { Gateways = 1, PodsPerWorker = 1 },
            ]);
        var lab = await MeshFabric.Lab.Lab.CreateAsync(spec, null, Cancellation);
        try
        {
            await ConnectAsync(lab);
            return new StandIn(lab);
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }

    /// <summary>The source address that the server at <paramref name="to"/> saw.</summary>
    public Task<IPAddress?> SeenAsync(LabHost from, LabHost to) => PodClient.SeenAsAsync(from, to.Address!, Limit, Cancellation);

    /// <summary>On every node, one priority before all others: a source NAT to the very same address, which no later one can change.</summary>
    public async Task ExemptAsync()
    {
        foreach (var node in Topology.Nodes)
        {
            await Lab.ExecAsync(node.Name, ["nft", "-f", "-"], Cancellation, $$"""
                table ip exempt {
                  chain post {
                    type nat hook postrouting priority 99; policy accept;
                    ip saddr {{Local}} ip daddr {{Remote}} snat ip prefix to ip saddr map { {{Local}} : {{Local}} }
                    ip saddr {{Remote}} ip daddr {{Local}} snat ip prefix to ip saddr map { {{Remote}} : {{Remote}} }
                  }
                }
                """).ContinueWith(t => t.Result.Checked("exempting"), Cancellation);
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _servers.DisposeAsync();
        await Lab.DisposeAsync();
    }

    static async Task ConnectAsync(Lab.Lab lab)
    {
        var (near, far) = (lab.Topology["a-n1"].Address, lab.Topology["far-gw1"].Address);
        await lab.ShellAsync("a-n1", Tunnel(near, far, "169.254.77.1") + $"ip route add {Remote} via 169.254.77.2", Cancellation);
        await lab.ShellAsync("far-gw1", Tunnel(far, near, "169.254.77.2") + $"ip route add {Local} via 169.254.77.1; nft delete table inet lab-cni", Cancellation);
        foreach (var node in lab.Topology.Nodes)
        {
            // There by the first node's address, back by the plug-in's device: that is not strict.
            await lab.ShellAsync(node.Name, "echo 2 >/proc/sys/net/ipv4/conf/all/rp_filter", Cancellation);
            if (node.ShortName != "n1")
            {
                await lab.ShellAsync(node.Name, $"ip route add {Remote} via {near}", Cancellation);
            }
        }
    }

    static string Tunnel(IPAddress? local, IPAddress? remote, string inside) =>
        $"ip link add standin mtu 1420 type vxlan id 77 local {local} remote {remote} dstport 7777; ip addr add {inside}/30 dev standin; ip link set standin up; ";
}
