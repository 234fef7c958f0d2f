using System.Diagnostics;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>UDP flows between two pods, half of them each way, 100 packets a second each: several, so that every gateway carries some.</summary>
public sealed class PodFlows : IAsyncDisposable
{
    readonly Stopwatch _clock = Stopwatch.StartNew();
    readonly List<PingStream> _streams;

    PodFlows(List<PingStream> streams) => _streams = streams;

    public static PodFlows Start(LabHost near, LabHost far, int pairs) =>
        new([.. Enumerable.Range(0, pairs).SelectMany(_ => new[] { PingStream.Start(near, far.Address!), PingStream.Start(far, near.Address!) })]);

    /// <summary>Since they began.</summary>
    public TimeSpan Elapsed => _clock.Elapsed;

    /// <summary>Waits until each of them had 100 answers more.</summary>
    public async Task GoOnAsync(string when)
    {
        var answered = _streams.ConvertAll(s => s.Answered);
        await Until.TrueAsync(() => _streams.Zip(answered).All(s => s.First.Answered > s.Second + 100), JoinedMesh.Limit, $"answers on all flows {when}", TestContext.Current.CancellationToken);
    }

    public Task<PingReport[]> StopAsync() => Task.WhenAll(_streams.Select(s => s.StopAsync()));

    public async ValueTask DisposeAsync() => await Task.WhenAll(_streams.Select(s => s.DisposeAsync().AsTask()));
}
