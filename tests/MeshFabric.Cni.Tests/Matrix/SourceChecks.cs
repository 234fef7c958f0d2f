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

    /// <summary>A node is seen with an address of its own that the far side can answer; where the plug-in gives it none, with its gateway's.</summary>
    public static async Task HostNetworkAsync(Row row)
    {
        await Row.ExpectAsync([.. await HostSources.AskingAsync(row, far => row.FarAddress(far.Address!)), .. await HostSources.FarAskingAsync(row, row.Pods.Select(p => row.NearAddress(p.Address!)))]);
        if (HostSources.AreMissing(row))
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
                    .. await HostSources.AskingAsync(row, _ => Row.Import),
                    .. new[] { row.FarOnGateway, row.FarOnWorker }.Select(f => Request.Of(f, FarImport, row.FarAddress(f.Address!))),
                    .. await HostSources.FarAskingAsync(row, FarImport),
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
            .. await HostSources.FarAskingAsync(row, inMesh(Row.AllPods)),
            .. new[] { row.FarOnGateway, row.FarOnWorker }.SelectMany(f => new[] { Row.AllPods, Row.WorkerPodAlone }.Select(s => Request.Of(f, inMesh(s), row.FarAddress(f.Address!)))),
            .. row.Pods.Select(p => Request.Of(p, row.Hub.InMesh(Row.AllPods), row.NearAddress(p.Address!))),
            .. await HostSources.AskingAsync(row, _ => row.Hub.InMesh(Row.AllPods)),
        ];
        await Row.HealsAsync(paths, "the Services were advertised");
        await Row.ExpectAsync(paths, tries: 6);
        await FromOnePortAsync(row.FarOnWorker, inMesh(Row.AllPods), [.. row.Pods.Select(p => row.NearAddress(p.Address!))]);
        await FromOnePortAsync(row.PodOnWorker, row.Hub.InMesh(Row.AllPods), [.. new[] { row.FarOnGateway, row.FarOnWorker }.Select(f => row.FarAddress(f.Address!))]);
        // An address that is no Service's is refused, not sent elsewhere.
        Assert.Null(await PodClient.SeenAsAsync(row.FarOnWorker, inMesh(IPAddress.Parse("10.96.0.99")), Row.Soon, Cancellation));
    }

    /// <summary>Who asks a Service and then its pods themselves, all from one port, is answered by whomever he asks: also by the pod that the Service chose.</summary>
    static async Task FromOnePortAsync(LabHost from, IPAddress service, IReadOnlyList<IPAddress> pods)
    {
        // As many as it takes to be given each pod.
        for (var port = 0; port < 4 * pods.Count; port++)
        {
            IPAddress[] asked = [service, .. pods];
            var answered = await PodClient.AnsweredByAsync(from, asked, Row.Soon, Cancellation);
            if (!answered.SequenceEqual(asked))
            {
                // A packet may be lost.
                answered = await PodClient.AnsweredByAsync(from, asked, Row.Soon, Cancellation);
            }

            Assert.Equal(asked, answered);
        }
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

    public static async Task PingedAsync(Row row, LabHost from, LabHost at, IPAddress to, IPAddress wanted)
    {
        var seen = await PingListener.SeenAsAsync(row.Lab, from, at, to, TimeSpan.FromSeconds(8), Cancellation);
        Assert.True(wanted.Equals(seen), $"{from.Name} pings {to}: seen as {seen?.ToString() ?? "nobody"} instead of {wanted}");
    }
}
