using System.Threading.Channels;

namespace MeshFabric.ServiceDefaults;

/// <summary>Wakes one loop, from any thread and at any time. A wake-up that is already pending is enough: the loop looks at everything anyway.</summary>
public sealed class WakeSignal
{
    readonly Channel<bool> _pending = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });

    public void Wake() => _pending.Writer.TryWrite(true);

    /// <summary>Returns at the next wake-up, after <paramref name="limit"/>, or when cancelled; never throws.</summary>
    /// <returns>True when it was woken.</returns>
    public async Task<bool> WaitAsync(TimeSpan limit, CancellationToken cancellationToken)
    {
        using var until = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        until.CancelAfter(limit);
        Task woken = _pending.Reader.WaitToReadAsync(until.Token).AsTask();
        await woken.ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        return _pending.Reader.TryRead(out _);
    }
}
