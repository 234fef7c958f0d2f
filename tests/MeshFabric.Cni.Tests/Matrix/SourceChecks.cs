using System.Net;
using MeshFabric.Lab.Traffic;
using MeshFabric.Net;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Servers see who asks, whichever cluster he is in.</summary>
static class SourceChecks
{
    static readonly Cidr Tunnels = Cidr.Parse("198.19.0.0/16");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task PodsAsync(Row row)
    {
        await Row.ExpectAsync(row.PodPaths);
        foreach (var node in row.Nodes)
        {
            Assert.Empty(await ChangedAsync(row, node.Name));
        }
    }

    /// <summary>And without the exemption they are hidden, by the plug-in's own masquerading.</summary>
    public static async Task Pods6Async(Row row)
    {
        if (row.PodPaths6.Count == 0)
        {
            throw new NotAskedException("no IPv6 made");
        }

        await Row.HealsAsync(row.PodPaths6, "it joined");
        await row.WithoutExemptionAsync(async () =>
        {
            var (tcp, _) = await Row.SeenAsync(row.PodOnWorker, row.FarOnWorker.Address6!, Row.Soon);
            Assert.NotEqual(row.PodOnWorker.Address6, tcp);
        });
        await Row.HealsAsync(row.PodPaths6, "the exemption was deleted");
    }

    /// <summary>A node is seen with an address of its own that the far side can answer; where the plug-in gives it none, with its gateway's.</summary>
    public static async Task HostNetworkAsync(Row row)
    {
        await Row.ExpectAsync(await HostPathsAsync(row, f => row.FarAddress(f)));
        if (HasNoAddress(row))
        {
            throw new NotAskedException("gateway's address");
        }
    }

    public static async Task ImportedServiceAsync(Row row)
    {
        var pods = row.Pods.Select(p => Request.Of(p, Row.Import, row.NearAddress(p.Address!)));
        await Row.HealsAsync([.. pods, .. await HostPathsAsync(row, _ => Row.Import)], "the import was made");
    }

    /// <summary>The far side asks a Service of this cluster by its ClusterIP: pods of both gateways' nodes and of the worker answer, and whichever gateway translated must get the answer back.</summary>
    public static async Task RemoteServiceAsync(Row row)
    {
        var inMesh = await row.Mesh.AdvertiseServicesAsync(row.Cluster, Cancellation);
        var addresses = await AddressesAsync(row, $"{MatrixMesh.Hub}-n3");
        var farPods = Cidr.Parse(row.Lab.Topology.Cluster(MatrixMesh.Hub).Spec.PodCidr!);
        var host = Request.OfAny(row[$"{MatrixMesh.Hub}-n3"], inMesh(Row.AllPods), [.. addresses.Where(farPods.Contains).Select(row.FarAddress)]);
        List<Request> paths = [host, .. new[] { row.FarOnGateway, row.FarOnWorker }.SelectMany(f => new[] { Row.AllPods, Row.WorkerPodAlone }.Select(s => Request.Of(f, inMesh(s), row.FarAddress(f.Address!))))];
        await Row.HealsAsync(paths, "the Services were advertised");
        await Row.ExpectAsync(paths, tries: 6);
        // An address that is no Service's is refused, not sent elsewhere.
        Assert.Null(await PodClient.SeenAsAsync(row.FarOnWorker, inMesh(IPAddress.Parse("10.96.0.99")), Row.Soon, Cancellation));
    }

    /// <summary>With the agents standing still and the exemption gone the plug-in hides its pods: it was the exemption that kept them. An agent that goes on repairs it.</summary>
    public static async Task HiddenWithoutExemptionAsync(Row row)
    {
        await row.WithoutExemptionAsync(async () =>
        {
            foreach (var pod in row.Pods)
            {
                var (tcp, _) = await Row.SeenAsync(pod, row.FarAddress(row.FarOnWorker.Address!), Row.Soon);
                Assert.NotEqual(row.NearAddress(pod.Address!), tcp);
            }
        });
        await Row.HealsAsync(row.PodPaths, "the exemption was deleted");
    }

    // The addresses on pods' own cables come and go with the pods.
    static bool HasNoAddress(Row row) => row.Plugin is "ptp" or "kindnet" or "calico-bgp";

    static async Task<IEnumerable<Request>> HostPathsAsync(Row row, Func<IPAddress, IPAddress> to)
    {
        var addresses = new Dictionary<string, List<IPAddress>>();
        foreach (var node in row.Nodes)
        {
            addresses[node.Name] = await AddressesAsync(row, node.Name);
        }

        var pods = Cidr.Parse(row.Lab.Topology.Cluster(row.Cluster).Spec.PodCidr!);
        var inTunnels = addresses.Values.SelectMany(a => a).Where(Tunnels.Contains).ToList();
        return new[] { row.Gateway, row.Worker }.SelectMany(node =>
        {
            // A gateway may also speak with its own address in the tunnels; for a worker that has none of the pods' addresses one of the gateways speaks.
            var own = addresses[node.Name];
            var ownInTunnels = own.Where(Tunnels.Contains).ToList();
            var known = !HasNoAddress(row) ? [.. own.Where(a => pods.Contains(a)).Select(row.NearAddress), .. ownInTunnels] : node == row.Worker ? inTunnels : ownInTunnels;
            return new[] { row.FarOnGateway, row.FarOnWorker }.Select(far => Request.OfAny(node, to(far.Address!), known));
        });
    }

    static async Task<List<IPAddress>> AddressesAsync(Row row, string node) =>
        [.. (await row.Lab.ShellAsync(node, "ip -o -4 addr show scope global | sed -E 's/.* inet ([0-9.]+).*/\\1/'", Cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse)];

    // Flows between the clusters whose answers come from or go to another address than they were asked by.
    static async Task<IEnumerable<string>> ChangedAsync(Row row, string node)
    {
        var far = Cidr.Parse(row.Lab.Topology.Cluster(MatrixMesh.Hub).Spec.PodCidr!);
        var flows = (await row.Lab.ShellAsync(node, "conntrack -L 2>/dev/null || true", Cancellation)).Split('\n');
        return flows.Where(flow =>
        {
            var addresses = flow.Split(' ').Where(w => w.StartsWith("src=", StringComparison.Ordinal) || w.StartsWith("dst=", StringComparison.Ordinal)).Select(w => IPAddress.Parse(w[4..])).ToList();
            return addresses.Count == 4 && addresses.Exists(far.Contains) && (!addresses[0].Equals(addresses[3]) || !addresses[1].Equals(addresses[2]))
                // Services are translated, that is what they are for.
                && !addresses[1].Equals(Row.Import) && !addresses[1].Equals(Row.AllPods) && !addresses[1].Equals(Row.WorkerPodAlone);
        });
    }
}
