using System.Net;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.Net;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Servers see who asks, whichever cluster he is in.</summary>
static class SourceChecks
{
    const string FarImportName = "import-of-row";
    static readonly IPAddress FarImport = IPAddress.Parse("10.96.0.91");
    static readonly Cidr Tunnels = Cidr.Parse("198.19.0.0/16");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>By TCP and UDP over every path, and no node's connection tracking holds a flow that was changed on its way.</summary>
    public static async Task PodsAsync(Row row)
    {
        await Row.ExpectAsync(row.PodPaths);
        var followed = 0;
        foreach (var node in row.Nodes)
        {
            var flows = await Flows.OfAsync(row.Lab, node.Name, row.FarPrefix, Cancellation);
            // Services are translated, that is what they are for.
            Assert.DoesNotContain(flows, f => f.IsChanged && !f.IsTo(Row.Import, Row.AllPods, Row.WorkerPodAlone));
            followed += flows.Count(f => !f.IsChanged);
        }

        Assert.True(followed >= row.Pods.Count, $"only {followed} flows were followed at all");
    }

    public static async Task IcmpAsync(Row row)
    {
        foreach (var (near, far) in new[] { (row.PodOnWorker, row.FarOnWorker), (row.PodOnGateway, row.FarOnGateway) })
        {
            await PingedAsync(row, near, far, row.FarAddress(far.Address!), row.NearAddress(near.Address!));
            await PingedAsync(row, far, near, row.NearAddress(near.Address!), row.FarAddress(far.Address!));
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
        await PingedAsync(row, row.PodOnWorker, row.FarOnWorker, row.FarOnWorker.Address6!, row.PodOnWorker.Address6!);
        await PingedAsync(row, row.FarOnWorker, row.PodOnWorker, row.PodOnWorker.Address6!, row.FarOnWorker.Address6!);
        await row.WithoutExemptionAsync(() => HiddenAsync(row, row.PodOnWorker, row.FarOnWorker.Address6!, row.PodOnWorker.Address6!));
        await Row.HealsAsync(row.PodPaths6, "the exemption was deleted");
    }

    /// <summary>A node is seen with an address of its own that the far side can answer; where the plug-in gives it none, with its gateway's.</summary>
    public static async Task HostNetworkAsync(Row row)
    {
        await Row.ExpectAsync([.. await HostPathsAsync(row, row.FarAddress), .. await FarHostPathsAsync(row, row.Pods.Select(p => row.NearAddress(p.Address!)))]);
        if (HasNoAddress(row))
        {
            throw new NotAskedException("gateway's address");
        }
    }

    /// <summary>A Service here in front of pods there, and one there in front of pods here.</summary>
    public static async Task ImportedServiceAsync(Row row)
    {
        await row.Hub.Api.CreateServiceAsync(FarImportName, FarImport.ToString(), row.Pods.Select(p => row.NearAddress(p.Address!)), nodePort: null, local: false, Cancellation);
        try
        {
            await Row.HealsAsync(
                [
                    .. row.Pods.Select(p => Request.Of(p, Row.Import, row.NearAddress(p.Address!))),
                    .. await HostPathsAsync(row, _ => Row.Import),
                    .. new[] { row.FarOnGateway, row.FarOnWorker }.Select(f => Request.Of(f, FarImport, row.FarAddress(f.Address!))),
                    .. await FarHostPathsAsync(row, [FarImport]),
                ],
                "the imports were made");
        }
        finally
        {
            await row.Hub.Api.DeleteServiceAsync(FarImportName, Cancellation);
        }
    }

    /// <summary>Each side asks a Service of the other by its ClusterIP: pods of both gateways' nodes and of the worker answer, and whichever gateway translated must get the answer back.</summary>
    public static async Task RemoteServiceAsync(Row row)
    {
        var inMesh = await row.Mesh.AdvertiseServicesAsync(row.Cluster, Cancellation);
        List<Request> paths =
        [
            .. await FarHostPathsAsync(row, [inMesh(Row.AllPods)]),
            .. new[] { row.FarOnGateway, row.FarOnWorker }.SelectMany(f => new[] { Row.AllPods, Row.WorkerPodAlone }.Select(s => Request.Of(f, inMesh(s), row.FarAddress(f.Address!)))),
            .. row.Pods.Select(p => Request.Of(p, row.Hub.InMesh(Row.AllPods), row.NearAddress(p.Address!))),
            .. await HostPathsAsync(row, _ => row.Hub.InMesh(Row.AllPods)),
        ];
        await Row.HealsAsync(paths, "the Services were advertised");
        await Row.ExpectAsync(paths, tries: 6);
        // An address that is no Service's is refused, not sent elsewhere.
        Assert.Null(await PodClient.SeenAsAsync(row.FarOnWorker, inMesh(IPAddress.Parse("10.96.0.99")), Row.Soon, Cancellation));
    }

    /// <summary>With the agents standing still and the exemption gone the plug-in hides its pods, by whatever protocol and Service, and some plug-ins hide others from them: it was the exemption that kept them. An agent that goes on repairs it.</summary>
    public static async Task HiddenWithoutExemptionAsync(Row row)
    {
        await row.WithoutExemptionAsync(async () =>
        {
            foreach (var pod in row.Pods)
            {
                await HiddenAsync(row, pod, row.FarAddress(row.FarOnWorker.Address!), row.NearAddress(pod.Address!));
            }

            // By ICMP, and by both kinds of Services, as well.
            await HiddenAsync(row, row.PodOnWorker, Row.Import, row.NearAddress(row.PodOnWorker.Address!));
            await HiddenAsync(row, row.PodOnWorker, row.Hub.InMesh(Row.AllPods), row.NearAddress(row.PodOnWorker.Address!));
            Assert.NotEqual(row.NearAddress(row.PodOnWorker.Address!), await PingListener.SeenAsAsync(row.Lab, row.PodOnWorker, row.FarOnWorker, row.FarAddress(row.FarOnWorker.Address!), Row.Soon, Cancellation));

            if (row.Plugin is "flannel-vxlan" or "flannel-host-gw" or "canal" or "weave" && !row.IsRemapped)
            {
                var (seen, _) = await Row.SeenAsync(row.FarOnWorker, row.PodOnWorker.Address!, Row.Soon);
                Assert.NotEqual(row.FarOnWorker.Address, seen);
            }
        });
        await Row.HealsAsync(row.PodPaths, "the exemption was deleted");
    }

    /// <summary>A pod's source is another one than its own: its server says so, or, where the other one cannot be answered, its node's connection tracking.</summary>
    public static async Task HiddenAsync(Row row, LabHost pod, IPAddress to, IPAddress own)
    {
        var (seen, _) = await Row.SeenAsync(pod, to, Row.Soon);
        Assert.NotEqual(own, seen);
        if (seen is null)
        {
            var address = to.AddressFamily == System.Net.Sockets.AddressFamily.InterNetwork ? pod.Address! : pod.Address6!;
            var flows = await Flows.OfAsync(row.Lab, row.NodeOf(pod).Name, Cidr.Host(to), Cancellation);
            Assert.True(flows.Any(f => f.Source.Equals(address) && f.IsChanged), $"{pod.Name} got no answer from {to}, but no flow of it was masqueraded: {string.Join("; ", flows)}");
        }
    }

    static async Task PingedAsync(Row row, LabHost from, LabHost at, IPAddress to, IPAddress wanted)
    {
        var seen = await PingListener.SeenAsAsync(row.Lab, from, at, to, TimeSpan.FromSeconds(8), Cancellation);
        Assert.True(wanted.Equals(seen), $"{from.Name} pings {to}: seen as {seen?.ToString() ?? "nobody"} instead of {wanted}");
    }

    // The addresses on pods' own cables come and go with the pods.
    static bool HasNoAddress(Row row) => row.Plugin is "ptp" or "kindnet" or "calico-bgp";

    /// <summary>From the gateway and the worker themselves, as their agents' own host network would ask.</summary>
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
            return new[] { row.FarOnGateway, row.FarOnWorker }.Select(far => Request.OfAny(node, to(far.Address!), known)).DistinctBy(r => r.To);
        });
    }

    /// <summary>From the far side's worker itself.</summary>
    static async Task<IEnumerable<Request>> FarHostPathsAsync(Row row, IEnumerable<IPAddress> to)
    {
        var pods = Cidr.Parse(row.Lab.Topology.Cluster(MatrixMesh.Hub).Spec.PodCidr!);
        var known = (await AddressesAsync(row, row.FarWorker.Name)).Where(pods.Contains).Select(row.FarAddress).ToList();
        return to.Select(address => Request.OfAny(row.FarWorker, address, known));
    }

    static async Task<List<IPAddress>> AddressesAsync(Row row, string node) =>
        [.. (await row.Lab.ShellAsync(node, "ip -o -4 addr show scope global | sed -E 's/.* inet ([0-9.]+).*/\\1/'", Cancellation)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(IPAddress.Parse)];
}
