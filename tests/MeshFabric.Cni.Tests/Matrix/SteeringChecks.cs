using MeshFabric.Lab;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Where the mesh's packets go, and what follows when a gateway does not.</summary>
static class SteeringChecks
{
    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Table main, which a plug-in's routing daemon reads, is as it was; so are the neighbours and forwarding entries of the plug-in's devices.</summary>
    public static async Task RoutesApartAsync(Row row)
    {
        foreach (var node in row.Nodes)
        {
            var difference = HostState.Difference(row.Before[node.Name], await HostState.ReadAsync(row.Lab, node.Name, Cancellation));
            Assert.DoesNotContain(difference, l => IsForeign(l[2..]));
        }
    }

    /// <summary>A gateway that is cut off takes no flow down for long, and gets its share again.</summary>
    public static async Task GatewayFailsAsync(Row row)
    {
        var streams = Enumerable.Range(0, 4).SelectMany(_ => new[]
        {
            PingStream.Start(row.PodOnWorker, row.FarAddress(row.FarOnWorker.Address!), rate: 50),
            PingStream.Start(row.FarOnWorker, row.NearAddress(row.PodOnWorker.Address!), rate: 50),
        }).ToList();
        try
        {
            await Until.TrueAsync(() => streams.All(s => s.Answered > 20), Row.Heal, "answers before", Cancellation);
            await row.Lab.ShellAsync($"{row.Cluster}-lan", "ip link set n2 down", Cancellation);
            try
            {
                var answered = streams.ConvertAll(s => s.Answered);
                await Until.TrueAsync(() => streams.Zip(answered).All(s => s.First.Answered > s.Second + 100), Row.Heal, () => $"answers without the gateway; of {string.Join(", ", streams.Select(s => s.Sent))} asked {string.Join(", ", streams.Select(s => s.Answered))} were answered", Cancellation);
            }
            finally
            {
                await row.Lab.ShellAsync($"{row.Cluster}-lan", "ip link set n2 up", Cancellation);
            }

            var reports = await Task.WhenAll(streams.Select(s => s.StopAsync()));
            Assert.All(reports, r => Assert.True(r.LongestGap < TimeSpan.FromSeconds(8), $"no answer for {r.LongestGap.TotalSeconds:0.0} s"));
        }
        finally
        {
            await Task.WhenAll(streams.Select(s => s.DisposeAsync().AsTask()));
        }

        await Row.HealsAsync(row.PodPaths, "the gateway came back");
    }

    static bool IsForeign(string line) => !line.Contains("dev meshx", StringComparison.Ordinal) && !line.Contains("dev mf", StringComparison.Ordinal)
        && (line.StartsWith("route ", StringComparison.Ordinal) && !line.Contains(" table ", StringComparison.Ordinal)
            || line.StartsWith("neigh ", StringComparison.Ordinal)
            || line.StartsWith("fdb ", StringComparison.Ordinal));
}
