using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Traffic;
using MeshFabric.Net;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>The plug-in's policy engine judges the mesh by true sources, and nothing of ours gets past it.</summary>
static class PolicyChecks
{
    static readonly TimeSpan Refused = TimeSpan.FromSeconds(2);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    public static async Task PolicyAsync(Row row)
    {
        var runtime = new CniRuntime(row.Lab, row.Cluster);
        var pod = row.PodOnWorker;
        if (!await runtime.SetIngressAsync(pod, PolicyPeer.Nobody, Cancellation))
        {
            throw new NotAskedException("no policy engine");
        }

        try
        {
            await ReachAsync(row, far: false, near: false, "a policy that lets nobody in");
            await runtime.SetIngressAsync(pod, PolicyPeer.Of(row.FarPrefix), Cancellation);
            await ReachAsync(row, far: true, near: false, $"an ipBlock of {row.FarPrefix}");
            await runtime.SetIngressAsync(pod, PolicyPeer.Pods, Cancellation);
            await ReachAsync(row, far: false, near: true, "a podSelector");
            // Answers to what the pod itself asks are no new flows.
            await Row.ExpectAsync([Request.Of(pod, row.FarAddress(row.FarOnWorker.Address!), row.NearAddress(pod.Address!))]);
        }
        finally
        {
            await runtime.SetIngressAsync(pod, null, Cancellation);
        }

        await Row.HealsAsync(row.PodPaths, "the policy was taken away");
    }

    static async Task ReachAsync(Row row, bool far, bool near, string policy)
    {
        foreach (var (from, to, wanted) in new[]
        {
            (row.FarOnWorker, row.NearAddress(row.PodOnWorker.Address!), far),
            (row.FarOnGateway, row.NearAddress(row.PodOnWorker.Address!), far),
            (row.PodOnGateway, row.PodOnWorker.Address!, near),
        })
        {
            var seen = await PodClient.SeenAsAsync(from, to, wanted ? Row.Heal : Refused, Cancellation);
            Assert.True(seen is not null == wanted, $"with {policy}, {from.Name} {(wanted ? "does not reach" : "reaches")} {to}");
        }
    }
}
