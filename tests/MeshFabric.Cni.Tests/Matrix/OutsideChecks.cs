using MeshFabric.Lab.Traffic;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>North-south: machines that are in no cluster.</summary>
static class OutsideChecks
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>A machine behind a site's gateway, whose LAN is in the mesh, reaches pods and Services and is reached by pods; each sees the other. One that is in no mesh reaches none, and sees the node.</summary>
    public static async Task MachineAsync(Row row)
    {
        var inMesh = await row.Mesh.AdvertiseServicesAsync(row.Cluster, Cancellation);
        var machine = row.Machine;
        await Row.HealsAsync(
            [
                .. row.Pods.Select(p => Request.Of(machine, row.NearAddress(p.Address!), machine.Address!)),
                .. row.Pods.Select(p => Request.Of(p, machine.Address!, row.NearAddress(p.Address!))),
                .. new[] { Row.AllPods, Row.WorkerPodAlone }.Select(s => Request.Of(machine, inMesh(s), machine.Address!)),
            ],
            "the site joined");
        await Row.ExpectAsync([Request.Of(row.PodOnWorker, row.Stranger.Address!, row.Worker.Address!), Request.Of(row.PodOnGateway, row.Stranger.Address!, row.Gateway.Address!)]);
        foreach (var address in new[] { row.PodOnWorker.Address!, row.NearAddress(row.PodOnWorker.Address!) }.Distinct())
        {
            Assert.Null(await PodClient.SeenAsAsync(row.Stranger, address, Row.Soon, Cancellation));
        }
    }
}
