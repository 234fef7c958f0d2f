using System.Diagnostics;
using System.Net;
using MeshFabric.Lab.Topology;
using MeshFabric.TestKit;

namespace MeshFabric.Lab.Traffic;

/// <summary>Several <see cref="PingStream"/>s at once, so that every way that ECMP may choose carries some.</summary>
public sealed class PingFlows : IAsyncDisposable
{
    /// <summary>Answers, three seconds of them at the usual rate: by then agents know that the ways carry traffic, which takes them up to two, and probe them as often as those.</summary>
    public const int Settled = 300;

    readonly Stopwatch _since = Stopwatch.StartNew();
    readonly List<PingStream> _streams;
    readonly int _rate;

    PingFlows(IEnumerable<PingStream> streams, int rate) => (_streams, _rate) = ([.. streams], rate);

    /// <param name="rate">Packets a second of each.</param>
    public static PingFlows Start(LabHost from, IPAddress to, int count, int rate = 100) => new(Enumerable.Range(0, count).Select(_ => PingStream.Start(from, to, rate)), rate);

    /// <summary>Half of them each way.</summary>
    /// <param name="pairs">Of flows: one each way.</param>
    /// <param name="rate">Packets a second of each.</param>
    public static PingFlows BothWays(LabHost near, LabHost far, int pairs, int rate = 100) => BothWays(near, far.Address!, far, near.Address!, pairs, rate);

    /// <summary>As <see cref="BothWays(LabHost, LabHost, int, int)"/>, where they know each other by other addresses.</summary>
    /// <param name="farSeen">The far one's address as the near one knows it.</param>
    /// <param name="nearSeen">The reverse.</param>
    public static PingFlows BothWays(LabHost near, IPAddress farSeen, LabHost far, IPAddress nearSeen, int pairs, int rate = 100) =>
        new(Enumerable.Range(0, pairs).SelectMany(_ => new[] { PingStream.Start(near, farSeen, rate), PingStream.Start(far, nearSeen, rate) }), rate);

    /// <summary>One to each.</summary>
    public static PingFlows ToEach(LabHost from, IEnumerable<IPAddress> to, int rate = 100) => new(to.Select(t => PingStream.Start(from, t, rate)), rate);

    /// <summary>As <see cref="PingLoss.SentAt"/> counts, but for the moments that their starts are apart.</summary>
    public TimeSpan Elapsed => _since.Elapsed;

    /// <summary>Of all together; some are on their way.</summary>
    public int Unanswered => _streams.Sum(s => s.Sent - s.Answered);

    /// <summary>Waits until each of them had so many answers more.</summary>
    public async Task GoOnAsync(TimeSpan limit, string when, CancellationToken cancellationToken, int answers = 100)
    {
        var answered = _streams.ConvertAll(s => s.Answered);
        await Until.TrueAsync(() => _streams.Zip(answered).All(s => s.First.Answered > s.Second + answers), limit,
            () => $"answers on all flows {when}; of {string.Join(", ", _streams.Select(s => s.Sent))} asked {string.Join(", ", _streams.Select(s => s.Answered))} were answered", cancellationToken);
    }

    public Task<PingReport[]> StopAsync() => Task.WhenAll(_streams.Select(s => s.StopAsync()));

    /// <summary>Ends them.</summary>
    /// <returns>The longest time that any of them was without an answer, less the time between two packets; seconds.</returns>
    public async Task<double> LossAsync() => Math.Max(0, (await StopAsync()).Max(r => r.LongestGap).TotalSeconds - (1.0 / _rate));

    public async ValueTask DisposeAsync() => await Task.WhenAll(_streams.Select(s => s.DisposeAsync().AsTask()));
}
