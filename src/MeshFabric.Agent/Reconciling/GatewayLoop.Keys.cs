using MeshFabric.Domain;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.ServiceDefaults;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Reconciling;

// Device keys that change: our own by the facts, those of others as soon as they are shown.
public sealed partial class GatewayLoop
{
    // While a far gateway may show its next key: as long as it takes to look, and as long again several times, so that many peers cost no more.
    static readonly TimeSpan KeyLook = TimeSpan.FromMilliseconds(4);
    const int KeyLookShare = 3;

    readonly WakeSignal _keyLooks = new();

    // Beside the turns: one takes far longer than the packets that are lost meanwhile.
    async Task WatchKeysAsync(GatewayReconciler reconciler, CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            if (Config is not { } config || !KeyChanges.Due(config).Any())
            {
                await _keyLooks.WaitAsync(Timeout.InfiniteTimeSpan, cancellationToken);
                continue;
            }

            var started = time.GetTimestamp();
            try
            {
                if (await reconciler.TakeKeysAsync(config, cancellationToken))
                {
                    Wake();
                }
            }
            catch (Exception e) when (!cancellationToken.IsCancellationRequested)
            {
                // The next turn looks too.
                LogTurnFailed(log, e.Message);
            }
            catch (OperationCanceledException)
            {
                return;
            }

            var cost = KeyLookShare * time.GetElapsedTime(started);
            await Task.Delay(cost > KeyLook ? cost : KeyLook, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    // All hear at the same moment that we may use it, and have a turn's work with that.
    static readonly TimeSpan OthersTurn = TimeSpan.FromMilliseconds(500);

    volatile PublicKey? _ownKey;
    long? _ownKeyWaits;

    // Which of our own keys the devices have this turn.
    void ChooseOwnKey(GatewayConfig config)
    {
        if (config.Key is null || keys.Used is null || keys.PublicOf(config.Key) == keys.Used)
        {
            (_ownKey, _ownKeyWaits) = (config.Key, null);
            return;
        }

        _ownKeyWaits ??= time.GetTimestamp();
        if (time.GetElapsedTime(_ownKeyWaits.Value) >= OthersTurn)
        {
            (_ownKey, _ownKeyWaits) = (config.Key, null);
        }
    }

    void TakeOwnKey(MeshFacts known)
    {
        if (known.Clusters.FirstOrDefault(c => c.Id == _identity!.ClusterId)?.Gateways.FirstOrDefault(g => g.Id == _identity!.GatewayId) is { } own && keys.Settle(own.PublicKey))
        {
            LogKeyChanged(log, own.PublicKey.ToString());
            _paths!.Use(keys.Current);
        }
    }

    [LoggerMessage(5011, LogLevel.Information, "The devices' key is another one: {PublicKey}; the former was wiped")]
    static partial void LogKeyChanged(ILogger logger, string publicKey);
}
