using System.Diagnostics;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.Bench.Measuring;

/// <summary>UDP flows between two pods, half of them each way.</summary>
sealed class Flows : IAsyncDisposable
{
    /// <summary>Answers, three seconds of them at the usual rate: by then agents know that the ways carry traffic, which takes them up to two, and probe them as often as those.</summary>
    public const int Settled = 300;

    readonly Stopwatch _since = Stopwatch.StartNew();

    readonly List<PingStream> _streams;
    readonly int _rate;

    Flows(List<PingStream> streams, int rate) => (_streams, _rate) = (streams, rate);

    /// <summary>As <see cref="PingLoss.SentAt"/> counts, but for the moments that their starts are apart.</summary>
    public TimeSpan Elapsed => _since.Elapsed;

    /// <param name="pairs">Of flows: one each way.</param>
    /// <param name="rate">Packets a second of each.</param>
    public static Flows Start(LabHost near, LabHost far, int pairs, int rate = 100) =>
        new([.. Enumerable.Range(0, pairs).SelectMany(_ => new[] { PingStream.Start(near, far.Address!, rate), PingStream.Start(far, near.Address!, rate) })], rate);

    /// <summary>Waits until each of them had so many answers more.</summary>
    public async Task GoOnAsync(TimeSpan limit, string when, CancellationToken cancellationToken, int answers = 100)
    {
        var answered = _streams.ConvertAll(s => s.Answered);
        await Until.TrueAsync(() => _streams.Zip(answered).All(s => s.First.Answered > s.Second + answers), limit, $"answers on all flows {when}", cancellationToken);
    }

    public Task<PingReport[]> StopAsync() => Task.WhenAll(_streams.Select(s => s.StopAsync()));

    /// <summary>Ends them.</summary>
    /// <returns>The longest time that any of them was without an answer, less the time between two packets; seconds.</returns>
    public async Task<double> LossAsync() => Math.Max(0, (await StopAsync()).Max(r => r.LongestGap).TotalSeconds - (1.0 / _rate));

    public async ValueTask DisposeAsync() => await Task.WhenAll(_streams.Select(s => s.DisposeAsync().AsTask()));
}
