using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Addresses that the plug-in gives and takes while others talk.</summary>
static class ChurnChecks
{
    const int Rounds = 5;

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>By the real plug-ins: a pod goes and comes again and again with another address, and is reached by it at once; its neighbour loses nothing.</summary>
    public static async Task PodsComeAndGoAsync(Row row)
    {
        var runtime = new CniRuntime(row.Lab, row.Cluster);
        var original = row.SecondOnWorker.Address!;
        if (await runtime.ReplacePodAsync(3, original, Cancellation) is null)
        {
            // The address and the link of such a plug-in's pods are written by hand: nothing would come and go but our own commands.
            throw new NotAskedException("no real IPAM");
        }

        await using var neighbour = PingStream.Start(row.PodOnWorker, row.FarAddress(row.FarOnWorker.Address!), rate: 50);
        for (var round = 1; round <= Rounds; round++)
        {
            // The last one gets the first address again: whoever had it before must not show.
            var address = (await runtime.ReplacePodAsync(3, round == Rounds ? original : null, Cancellation))!;
            await Row.ExpectAsync([Request.Of(row.SecondOnWorker, row.FarAddress(row.FarOnWorker.Address!), row.NearAddress(address)), Request.Of(row.FarOnWorker, row.NearAddress(address), row.FarAddress(row.FarOnWorker.Address!))], tries: 1);
        }

        var report = await neighbour.StopAsync();
        Assert.True(report.Lost == 0, $"{report.Lost} of {report.Sent} lost");
    }
}

/// <summary>There is nothing to ask here; the text says why.</summary>
sealed class NotAskedException(string why) : Exception(why);
