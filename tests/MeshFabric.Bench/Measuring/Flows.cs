using System.Diagnostics;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Bench.Measuring;

/// <summary>UDP flows between two pods, half of them each way, 100 packets a second each.</summary>
sealed class Flows : IAsyncDisposable
{
    readonly List<PingStream> _streams;
    readonly Stopwatch _since = Stopwatch.StartNew();

    Flows(List<PingStream> streams) => _streams = streams;

    /// <summary>As <see cref="PingLoss.SentAt"/> counts, but for the moments that their starts are apart.</summary>
    public TimeSpan Elapsed => _since.Elapsed;

    /// <param name="pairs">Of flows: one each way.</param>
    public static Flows Start(LabHost near, LabHost far, int pairs) =>
        new([.. Enumerable.Range(0, pairs).SelectMany(_ => new[] { PingStream.Start(near, far.Address!), PingStream.Start(far, near.Address!) })]);

    /// <summary>Waits until each of them had 100 answers more.</summary>
    public async Task GoOnAsync(TimeSpan limit, string when, CancellationToken cancellationToken)
    {
        var answered = _streams.ConvertAll(s => s.Answered);
        await Until.TrueAsync(() => _streams.Zip(answered).All(s => s.First.Answered > s.Second + 100), limit, $"answers on all flows {when}", cancellationToken);
    }

    public Task<PingReport[]> StopAsync() => Task.WhenAll(_streams.Select(s => s.StopAsync()));

    public async ValueTask DisposeAsync() => await Task.WhenAll(_streams.Select(s => s.DisposeAsync().AsTask()));
}
