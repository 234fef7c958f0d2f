using System.Runtime.CompilerServices;
using System.Threading.Channels;
using k8s;
using k8s.Models;
using MeshFabric.Agent.Inventory;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>The inventory of a Kubernetes cluster, from its own API.</summary>
/// <remarks>
/// One signal says that something may have changed; the whole inventory is then rebuilt from what is known and emitted if it is another one.
/// Nodes are watched; the cluster's settings, which change only with an upgrade, are read every <see cref="KubernetesOptions.Refresh"/>.
/// </remarks>
public sealed partial class KubernetesInventorySource(IKubernetes client, KubernetesOptions options, TimeProvider time, ILogger<KubernetesInventorySource> log) : IInventorySource
{
    /// <summary>Nodes come in crowds; one inventory for all of them is enough.</summary>
    static readonly TimeSpan Debounce = TimeSpan.FromMilliseconds(250);

    /// <summary>What agents see on nodes wakes nobody here; it is looked at this often.</summary>
    static readonly TimeSpan LookPeriod = TimeSpan.FromSeconds(10);

    readonly ClusterSettingsReader _reader = new(client, options.AsksForServiceCidr && options.ServiceCidrs.Count == 0 ? options.Namespace ?? "default" : null, options.AnsweredServiceCidr);
    ValueList<string> _warned = ValueList<string>.Empty;
    string? _failed;
    ObjectWatch<V1Node>? _watch;

    public INodeObservations Observations { get; init; } = NoObservations.Instance;

    public string? Failure => _failed ?? _watch?.Failure;

    /// <exception cref="KubernetesInventoryException">The kubeconfig or the service account cannot be used.</exception>
    public static KubernetesInventorySource Create(KubernetesOptions options, INodeObservations observations, TimeProvider time, ILoggerFactory logs) =>
        new(KubernetesConnection.Open(options), options with { Namespace = options.Namespace ?? KubernetesConnection.NamespaceOf(options) }, time, logs.CreateLogger<KubernetesInventorySource>()) { Observations = observations };

    public async IAsyncEnumerable<ClusterInventory> WatchAsync([EnumeratorCancellation] CancellationToken cancellationToken)
    {
        using var ended = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var work = Channel.CreateBounded<bool>(new BoundedChannelOptions(1) { FullMode = BoundedChannelFullMode.DropWrite });
        var watch = new ObjectWatch<V1Node>(client, ObjectKinds.Nodes, time, () => work.Writer.TryWrite(true), log);
        _watch = watch;
        var watching = watch.RunAsync(ended.Token);
        try
        {
            ClusterInventory? last = null;
            ClusterSettings? settings = null;
            long readAt = 0;
            while (await WorkAsync(work.Reader, watching, cancellationToken))
            {
                if (watch.Objects is null)
                {
                    continue;
                }

                if (settings is null || _failed is not null || time.GetElapsedTime(readAt) >= options.Refresh)
                {
                    settings = await ReadSettingsAsync(cancellationToken) ?? settings;
                    readAt = time.GetTimestamp();
                }

                if (settings is null || watch.Objects is not { } nodes)
                {
                    continue;
                }

                var seen = KubernetesInventory.From(new KubernetesSnapshot(nodes, settings) { ConfiguredPodCidrs = options.PodCidrs, ConfiguredServiceCidrs = options.ServiceCidrs }, Observations.Current);
                var inventory = seen.Inventory with { Beacons = Observations.Beacons };
                if (inventory == last)
                {
                    continue;
                }

                Say(seen);
                last = inventory;
                yield return last;
            }
        }
        finally
        {
            await ended.CancelAsync();
            await watching;
        }
    }

    public void Dispose() => client.Dispose();

    /// <summary>Waits for the signal or the next reading of the settings; false when cancelled.</summary>
    async Task<bool> WorkAsync(ChannelReader<bool> work, Task watching, CancellationToken cancellationToken)
    {
        using var wait = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        var refresh = Task.Delay(_failed is null ? Soonest(options.Refresh, LookPeriod) : TimeSpan.FromSeconds(5), time, wait.Token);
        var first = await Task.WhenAny(work.WaitToReadAsync(wait.Token).AsTask(), refresh, watching);
        await wait.CancelAsync();
        if (first == watching)
        {
            // It ends by cancellation or by a bug, which must be loud.
            await watching;
        }

        if (cancellationToken.IsCancellationRequested)
        {
            return false;
        }

        await Task.Delay(Debounce, time, cancellationToken).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        work.TryRead(out _);
        return !cancellationToken.IsCancellationRequested;
    }

    /// <summary>Null when the API cannot be read now.</summary>
    async Task<ClusterSettings?> ReadSettingsAsync(CancellationToken cancellationToken)
    {
        try
        {
            var settings = await _reader.ReadAsync(cancellationToken);
            _failed = null;
            return settings;
        }
        catch (Exception e) when (KubernetesErrors.IsExpected(e) && !cancellationToken.IsCancellationRequested)
        {
            var text = KubernetesErrors.Describe(e, client.BaseUri, "read the cluster's settings", RbacRule.ConfigMaps);
            if (text != _failed)
            {
                _failed = text;
                LogFailed(log, text);
            }

            return null;
        }
    }

    static TimeSpan Soonest(TimeSpan a, TimeSpan b) => a < b ? a : b;

    void Say(KubernetesInventory seen)
    {
        var inventory = seen.Inventory;
        LogInventory(log, inventory.Nodes.Count, inventory.PodCidrs.ToString(), seen.PodCidrSource, inventory.ServiceCidrs.ToString(), seen.ServiceCidrSource);
        if (seen.Warnings == _warned)
        {
            return;
        }

        _warned = seen.Warnings;
        foreach (var warning in _warned)
        {
            LogWarning(log, warning);
        }
    }

    [LoggerMessage(5311, LogLevel.Information, "Inventory: {Nodes} nodes, pod CIDRs {PodCidrs} from {PodSource}, Service CIDRs {ServiceCidrs} from {ServiceSource}")]
    static partial void LogInventory(ILogger logger, int nodes, string podCidrs, string podSource, string serviceCidrs, string serviceSource);

    [LoggerMessage(5312, LogLevel.Warning, "Inventory: {Warning}")]
    static partial void LogWarning(ILogger logger, string warning);

    [LoggerMessage(5313, LogLevel.Warning, "Inventory: {Reason}; trying again")]
    static partial void LogFailed(ILogger logger, string reason);
}
