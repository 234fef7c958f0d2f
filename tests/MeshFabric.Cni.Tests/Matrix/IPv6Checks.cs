using System.Net;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>What is asked by IPv4 in <see cref="SourceChecks"/>, by IPv6.</summary>
static class IPv6Checks
{
    const string FarImportName = "import-of-row6";
    static readonly IPAddress FarImport = IPAddress.Parse("fd96::91");
    static readonly IPAddress Nobodys = IPAddress.Parse("fd96::99");

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>And without the exemption they are hidden, by the plug-in's own masquerading.</summary>
    public static async Task PodsAsync(Row row)
    {
        MustHaveIt(row);
        await Row.HealsAsync(row.PodPaths6, "it joined");
        await SourceChecks.PingedAsync(row, row.PodOnWorker, row.FarOnWorker, row.FarOnWorker.Address6!, row.PodOnWorker.Address6!);
        await SourceChecks.PingedAsync(row, row.FarOnWorker, row.PodOnWorker, row.PodOnWorker.Address6!, row.FarOnWorker.Address6!);
        await row.WithoutExemptionAsync(() => SourceChecks.HiddenAsync(row, row.PodOnWorker, row.FarOnWorker.Address6!, row.PodOnWorker.Address6!));
        await Row.HealsAsync(row.PodPaths6, "the exemption was deleted");
    }

    /// <inheritdoc cref="SourceChecks.HostNetworkAsync"/>
    public static async Task HostNetworkAsync(Row row)
    {
        MustHaveIt(row);
        await Row.ExpectAsync([.. await HostSources.AskingAsync(row, far => far.Address6!), .. await HostSources.FarAskingAsync(row, row.Pods.Select(p => p.Address6!))]);
        if (HostSources.AreMissing(row, ipv6: true))
        {
            throw new NotAskedException("gateway's address");
        }
    }

    /// <summary>A Service here in front of pods there, and one there in front of pods here; and each side asks a Service of the other by its ClusterIP, which is remapped, for both sides have the same.</summary>
    public static async Task ServicesAsync(Row row)
    {
        MustHaveIt(row);
        var inMesh = await row.Mesh.AdvertiseServicesAsync(row.Cluster, Cancellation);
        LabHost[] farPods = [row.FarOnGateway, row.FarOnWorker];
        await row.Hub.Api.CreateServiceAsync(FarImportName, FarImport.ToString(), row.Pods.Select(p => p.Address6!), nodePort: null, local: false, Cancellation);
        try
        {
            List<Request> paths =
            [
                .. row.Pods.SelectMany(p => new[] { Row.Import6, row.Hub.InMesh(Row.AllPods6) }.Select(to => Request.Of(p, to, p.Address6!))),
                .. farPods.SelectMany(f => new[] { FarImport, inMesh(Row.AllPods6) }.Select(to => Request.Of(f, to, f.Address6!))),
                .. await HostSources.AskingAsync(row, _ => Row.Import6),
                .. await HostSources.AskingAsync(row, _ => row.Hub.InMesh(Row.AllPods6)),
                .. await HostSources.FarAskingAsync(row, FarImport, inMesh(Row.AllPods6)),
            ];
            await Row.HealsAsync(paths, "the Services were made");
            await Row.ExpectAsync(paths, tries: 6);
            // An address that is no Service's is refused, not sent elsewhere.
            Assert.Null(await PodClient.SeenAsAsync(row.FarOnWorker, inMesh(Nobodys), Row.Soon, Cancellation));
        }
        finally
        {
            await row.Hub.Api.DeleteServiceAsync(FarImportName, Cancellation);
        }

        await row.WithoutExemptionAsync(() => SourceChecks.HiddenAsync(row, row.PodOnWorker, Row.Import6, row.PodOnWorker.Address6!));
        await Row.HealsAsync(row.PodPaths6, "the exemption was deleted");
    }

    static void MustHaveIt(Row row)
    {
        if (!row.IsDualStack)
        {
            throw new NotAskedException("no IPv6 made");
        }
    }
}
