using MeshFabric.ServiceDefaults;

namespace MeshFabric.Control.Meshing;

/// <summary>Compares what is with what is wanted, and changes what differs: now and then, and soon after it was woken. Every replica may do it at any time.</summary>
/// <param name="period">Without being woken.</param>
/// <param name="pause">Between two turns at least: whoever wakes comes in crowds.</param>
public abstract class WokenReconciler(TimeSpan period, TimeSpan pause, TimeProvider time) : BackgroundService
{
    readonly WakeSignal _signal = new();

    protected TimeProvider Time => time;

    /// <summary>Without being woken, from the next turn on.</summary>
    protected TimeSpan Every { get; set; } = period;

    /// <summary>Something is another way now: look soon.</summary>
    public void Wake() => _signal.Wake();

    public abstract Task ReconcileAsync(CancellationToken cancellationToken);

    /// <summary>A turn failed; the next one tries again.</summary>
    protected abstract void Failed(string reason);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        while (!stoppingToken.IsCancellationRequested)
        {
            await _signal.WaitAsync(Every, stoppingToken);
            try
            {
                await ReconcileAsync(stoppingToken);
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                Failed(e.Message);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            await Task.Delay(pause, time, stoppingToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }
}
