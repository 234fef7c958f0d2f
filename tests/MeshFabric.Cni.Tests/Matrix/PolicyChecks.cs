using System.Net;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>The plug-in's policy engine judges the mesh by true sources and destinations, and nothing of ours gets past it.</summary>
static class PolicyChecks
{
    static readonly TimeSpan Refused = TimeSpan.FromSeconds(2);

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Who may ask a pod: one on a worker, and one on a gateway, whose traffic comes out of the tunnels right there.</summary>
    public static async Task IngressAsync(Row row)
    {
        foreach (var (pod, neighbour) in Judged(row))
        {
            await JudgeAsync(
                row, pod, PolicyDirection.Ingress,
                [.. Far(row).SelectMany(far => OfBothFamilies(row, row.NearAddress(pod.Address!), pod).Select(to => (far, to)))],
                (neighbour, pod.Address!),
                // Answers to what the pod itself asks are no new flows.
                Request.Of(pod, row.FarAddress(row.FarOnWorker.Address!), row.NearAddress(pod.Address!)));
        }
    }

    /// <summary>Whom a pod may ask.</summary>
    public static async Task EgressAsync(Row row)
    {
        foreach (var (pod, neighbour) in Judged(row))
        {
            await JudgeAsync(
                row, pod, PolicyDirection.Egress,
                [.. Far(row).SelectMany(far => OfBothFamilies(row, row.FarAddress(far.Address!), far).Select(to => (pod, to)))],
                (pod, neighbour.Address!),
                Request.Of(row.FarOnWorker, row.NearAddress(pod.Address!), row.FarAddress(row.FarOnWorker.Address!)));
        }
    }

    static LabHost[] Far(Row row) => [row.FarOnWorker, row.FarOnGateway];

    static IEnumerable<IPAddress> OfBothFamilies(Row row, IPAddress address, LabHost pod) => row.IsDualStack ? [address, pod.Address6!] : [address];

    static IEnumerable<(LabHost Pod, LabHost Neighbour)> Judged(Row row) => [(row.PodOnWorker, row.PodOnGateway), (row.PodOnGateway, row.PodOnWorker)];

    /// <param name="far">Flows between the clusters that the policy judges.</param>
    /// <param name="near">One inside the cluster.</param>
    /// <param name="other">The other way, which it does not concern.</param>
    static async Task JudgeAsync(Row row, LabHost pod, PolicyDirection direction, IReadOnlyList<(LabHost From, IPAddress To)> far, (LabHost From, IPAddress To) near, Request other)
    {
        var runtime = new CniRuntime(row.Lab, row.Cluster);
        if (!await runtime.SetPolicyAsync(pod, direction, PolicyPeer.Nobody, Cancellation))
        {
            throw new NotAskedException("no policy engine");
        }

        try
        {
            await ReachAsync(far, false, near, false, $"{direction} of nobody");
            await runtime.SetPolicyAsync(pod, direction, PolicyPeer.Of(row.FarPrefix, MatrixMesh.HubCidr6), Cancellation);
            await ReachAsync(far, true, near, false, $"{direction} of ipBlocks {row.FarPrefix} and {MatrixMesh.HubCidr6}");
            await runtime.SetPolicyAsync(pod, direction, PolicyPeer.Pods, Cancellation);
            await ReachAsync(far, false, near, true, $"{direction} of a podSelector");
            await Row.ExpectAsync([other]);
        }
        finally
        {
            await runtime.SetPolicyAsync(pod, direction, null, Cancellation);
        }

        await Row.HealsAsync(row.PodPaths, "the policy was taken away");
    }

    static async Task ReachAsync(IReadOnlyList<(LabHost From, IPAddress To)> far, bool farReach, (LabHost From, IPAddress To) near, bool nearReach, string policy)
    {
        await Task.WhenAll(far.Select(f => (f.From, f.To, Wanted: farReach)).Append((near.From, near.To, Wanted: nearReach)).Select(async path =>
        {
            var seen = await PodClient.SeenAsAsync(path.From, path.To, path.Wanted ? Row.Heal : Refused, Cancellation);
            Assert.True(seen is not null == path.Wanted, $"with {policy}, {path.From.Name} {(path.Wanted ? "does not reach" : "reaches")} {path.To}");
        }));
    }
}
