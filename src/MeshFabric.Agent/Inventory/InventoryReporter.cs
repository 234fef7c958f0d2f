using MeshFabric.Agent.Messaging;
using MeshFabric.Agent.Nodes;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Clusters;
using MeshFabric.ServiceDefaults;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Inventory;

/// <summary>Tells the control service what this cluster is: whenever it changed, after every reconnect, and again while it could not be sent. Repeats are harmless.</summary>
public sealed partial class InventoryReporter(AgentStateDirectory state, IControlLink link, INodeObservations observations, TimeProvider time, ILoggerFactory logs, NodeSettings? node = null) : BackgroundService
{
    static readonly TimeSpan Retry = TimeSpan.FromSeconds(5);
    static readonly TimeSpan Unsent = TimeSpan.FromSeconds(1);

    readonly ILogger _log = logs.CreateLogger<InventoryReporter>();
    readonly WakeSignal _signal = new();
    readonly string _session = Guid.NewGuid().ToString("n");
    long _number;
    volatile ClusterInventory? _wanted;
    volatile ClusterInventory? _sent;
    volatile IInventorySource? _source;
    volatile string? _failure;

    /// <summary>Why the source cannot be read; null while it can, or when there is none.</summary>
    public string? Failure => _failure ?? _source?.Failure;

    /// <summary>Send it again: the control service may have lost what was sent.</summary>
    public void Repeat()
    {
        _sent = null;
        _signal.Wake();
    }

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        await Task.WhenAll(WatchAsync(stoppingToken), SendAsync(stoppingToken));
    }

    async Task WatchAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                if (state.ReadIdentity().IsLeaf)
                {
                    // The cluster's gateways tell it.
                    return;
                }

                using var source = (node?.Inventory ?? state.ReadIdentity().Inventory ?? InventorySettings.None).Open(observations, time, logs);
                if (source is null)
                {
                    return;
                }

                _failure = null;
                _source = source;
                await foreach (var inventory in source.WatchAsync(cancellationToken))
                {
                    _wanted = inventory;
                    _signal.Wake();
                }
            }
            catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
            {
                return;
            }
            catch (Exception e)
            {
                // A kubeconfig that is not there yet, or a state directory that is being written.
                if (_failure != e.Message)
                {
                    _failure = e.Message;
                    LogFailed(_log, e.Message);
                }

                await Task.Delay(Retry, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    async Task SendAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            var (wanted, sent) = (_wanted, _sent);
            if (wanted is not null && wanted != sent && link.IsConnected && await link.SendAsync(new InventoryReported(wanted) { Session = _session, Number = ++_number }, cancellationToken))
            {
                _sent = wanted;
            }

            await _signal.WaitAsync(wanted is not null && wanted != _sent ? Unsent : Timeout.InfiniteTimeSpan, cancellationToken);
        }
    }

    [LoggerMessage(5331, LogLevel.Warning, "Inventory: {Reason}; trying again")]
    static partial void LogFailed(ILogger logger, string reason);
}
