using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Topology;
using MeshFabric.Net;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>What nodes themselves ask, as their agents' own host network would, and by which addresses they are seen.</summary>
static class HostSources
{
    static readonly Cidr Tunnels4 = Cidr.Parse("198.19.0.0/16");
    static readonly Cidr Tunnels6 = Cidr.Parse("fd6d:6700::/64");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Nodes have none of the pods' addresses. Those on pods' own cables come and go with the pods; Calico gives a node one for its tunnel, and by IPv6 it has no tunnel here.</summary>
    public static bool AreMissing(Row row, bool ipv6 = false) => row.Plugin is "ptp" or "kindnet" or "calico-bgp" || (ipv6 && row.Plugin.StartsWith("calico", StringComparison.Ordinal));

    /// <summary>From the gateway and the worker.</summary>
    /// <param name="to">By which address they ask a pod of the far side; its family is that of all of them.</param>
    public static async Task<IEnumerable<Request>> AskingAsync(Row row, Func<LabHost, IPAddress> to)
    {
        var ipv6 = IsIPv6(to(row.FarOnWorker));
        var (pods, tunnels) = (PodsOf(row, row.Cluster, ipv6), ipv6 ? Tunnels6 : Tunnels4);
        var addresses = new Dictionary<string, List<IPAddress>>();
        foreach (var node in row.Nodes)
        {
            addresses[node.Name] = await AddressesAsync(row, node.Name, ipv6);
        }

        var inTunnels = addresses.Values.SelectMany(a => a).Where(tunnels.Contains).ToList();
        return new[] { row.Gateway, row.Worker }.SelectMany(node =>
        {
            // A gateway may also speak with its own address in the tunnels.
            var own = addresses[node.Name];
            var known = own.Where(tunnels.Contains).ToList();
            if (!AreMissing(row, ipv6) || ipv6)
            {
                // By IPv6 a host takes that of its addresses which is most like the other one's (RFC 6724), though it be on a pod's cable.
                known.AddRange(own.Where(pods.Contains).Select(a => ipv6 ? a : row.NearAddress(a)));
            }

            if (AreMissing(row, ipv6) && node == row.Worker)
            {
                // One of the gateways speaks for it.
                known.AddRange(inTunnels);
            }

            return new[] { row.FarOnGateway, row.FarOnWorker }.Select(far => Request.OfAny(node, to(far), known)).DistinctBy(r => r.To);
        });
    }

    /// <summary>From the far side's worker.</summary>
    public static async Task<IEnumerable<Request>> FarAskingAsync(Row row, params IEnumerable<IPAddress> to)
    {
        var asked = to.ToList();
        var ipv6 = IsIPv6(asked[0]);
        var known = (await AddressesAsync(row, row.FarWorker.Name, ipv6)).Where(PodsOf(row, MatrixMesh.Hub, ipv6).Contains).Select(a => ipv6 ? a : row.FarAddress(a)).ToList();
        return asked.Select(address => Request.OfAny(row.FarWorker, address, known));
    }

    static bool IsIPv6(IPAddress address) => address.AddressFamily == AddressFamily.InterNetworkV6;

    static Cidr PodsOf(Row row, string cluster, bool ipv6) => row.Lab.Topology.Cluster(cluster).Spec is var spec && ipv6 ? Cidr.Parse(spec.PodCidr6!) : Cidr.Parse(spec.PodCidr!);

    static async Task<List<IPAddress>> AddressesAsync(Row row, string node, bool ipv6)
    {
        var lines = await row.Lab.ShellAsync(node, $"ip -o -{(ipv6 ? 6 : 4)} addr show scope global | sed -E 's/.* inet6? ([0-9a-f.:]+).*/\\1/'", Cancellation);
        return [.. lines.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse)];
    }
}
