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

    readonly PlaneKeys _planes = new();

    // Which of our own keys each device has this turn, and which one rests.
    async Task ChooseOwnKeysAsync(GatewayConfig config, CancellationToken cancellationToken)
    {
        var next = config.Key is { } key && key == keys.Offered ? key : null;
        ValueList<KeyedPlane> planes = [];
        if (next is not null)
        {
            // With the first turn they are what the agent before this one left.
            var has = _reconciler!.States.Count > 0 ? _reconciler.States.ToDictionary(s => s.Key, s => s.Value.PublicKey) : await _reconciler.ReadKeysAsync(config, cancellationToken);
            planes = config.Devices.Select(d => new KeyedPlane(d.Name, has.GetValueOrDefault(d.Name), d.Peers.Select(p => Tunnel(new NextHop(d.Name, p.Cluster, p.Gateway))).ToValueList())).ToValueList();
        }

        _planes.Update(keys.PublicOf(null), next, planes, tunnels.IsSettling, time.GetUtcNow());
        _reconciler!.Resting = _planes.Resting;
        tunnels.Await(_planes.Resting);
    }

    KeyedTunnel Tunnel(NextHop hop) => new(hop.Cluster, hop.Gateway, tunnels.IsConnected(hop), tunnels.AnsweredOf(hop));

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
