using MeshFabric.Netlink;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Linux;

/// <summary>Calls when links, addresses, routes, rules or nf_tables of this host changed, by whomever. Only hastens what the loop does anyway.</summary>
public sealed partial class DriftWatch(Action<KernelChange> changed, TimeProvider time, ILogger log)
{
    const KernelChange All = KernelChange.Link | KernelChange.Address | KernelChange.Route | KernelChange.Rule | KernelChange.Firewall;

    // A CNI plug-in may change routes all the time: no more than this many turns for it.
    static readonly TimeSpan Spacing = TimeSpan.FromMilliseconds(100);
    static readonly TimeSpan Retry = TimeSpan.FromSeconds(10);

    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                await foreach (var change in KernelChanges.WatchAsync(All, null, cancellationToken))
                {
                    changed(change);
                    await Task.Delay(Spacing, time, cancellationToken);
                }
            }
            catch (NetlinkException e)
            {
                LogFailed(log, e.Message);
                await Task.Delay(Retry, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
        }
    }

    [LoggerMessage(5008, LogLevel.Warning, "The kernel does not tell of changes ({Reason}): drift is noticed by looking only")]
    static partial void LogFailed(ILogger logger, string reason);
}
