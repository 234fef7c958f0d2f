using System.Net.Http;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Keeps a copy of the cluster's nodes: a list, then a watch from its version on, for ever.</summary>
/// <param name="changed">Called after each change of the copy; must not block.</param>
sealed partial class NodeWatch(IKubernetes client, TimeProvider time, Action changed, ILogger log)
{
    const int PageSize = 500;

    // The server ends a watch after this; a little longer without a word means a dead connection, which TCP alone may hide for a quarter of an hour.
    const int WatchSeconds = 120;
    static readonly TimeSpan Silence = TimeSpan.FromSeconds(WatchSeconds + 30);

    readonly Lock _lock = new();
    readonly Backoff _backoff = new(time);
    Dictionary<string, V1Node>? _nodes;
    string? _version;
    volatile string? _said;

    /// <summary>Why nodes cannot be watched now; null while they can.</summary>
    public string? Failure => _said;

    /// <summary>Null until the first list was read.</summary>
    public IReadOnlyList<V1Node>? Nodes
    {
        get
        {
            lock (_lock)
            {
                return _nodes is null ? null : [.. _nodes.Values];
            }
        }
    }

    /// <summary>Ends only by cancellation.</summary>
    public async Task RunAsync(CancellationToken cancellationToken)
    {
        while (!cancellationToken.IsCancellationRequested)
        {
            try
            {
                if (_version is null)
                {
                    await ListAsync(cancellationToken);
                }

                await WatchAsync(cancellationToken);
            }
            catch (Exception e) when (KubernetesErrors.IsExpected(e) && !cancellationToken.IsCancellationRequested)
            {
                await FailedAsync(e, cancellationToken);
            }
            catch (OperationCanceledException)
            {
                return;
            }
        }
    }

    async Task ListAsync(CancellationToken cancellationToken)
    {
        var nodes = new Dictionary<string, V1Node>(StringComparer.Ordinal);
        string? next = null;
        do
        {
            var page = await client.CoreV1.ListNodeAsync(limit: PageSize, continueParameter: next, cancellationToken: cancellationToken);
            foreach (var node in page.Items)
            {
                nodes[node.Metadata.Name] = node;
            }

            next = page.Metadata.ContinueProperty;
            _version = page.Metadata.ResourceVersion;
        }
        while (!string.IsNullOrEmpty(next));

        lock (_lock)
        {
            _nodes = nodes;
        }

        Reached(nodes.Count);
        changed();
    }

    async Task WatchAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Silence);
        Exception? failure = null;
        var started = time.GetTimestamp();
        await foreach (var (kind, node) in client.CoreV1.WatchListNodeAsync(
            allowWatchBookmarks: true, resourceVersion: _version, timeoutSeconds: WatchSeconds, onError: e => failure ??= e, cancellationToken: limit.Token))
        {
            if (kind != WatchEventType.Error && node?.Metadata is not null)
            {
                Apply(kind, node);
            }
        }

        if (failure is not null)
        {
            throw failure;
        }

        // A server (or a proxy) that ends every watch at once must not be asked again at once.
        if (time.GetElapsedTime(started) < TimeSpan.FromSeconds(1))
        {
            throw new HttpRequestException("the watch was ended at once");
        }

        _said = null;
        _backoff.Reset();
    }

    void Apply(WatchEventType kind, V1Node node)
    {
        _version = node.Metadata.ResourceVersion;
        _said = null;
        _backoff.Reset();
        if (kind == WatchEventType.Bookmark)
        {
            return;
        }

        lock (_lock)
        {
            if (kind == WatchEventType.Deleted)
            {
                _nodes!.Remove(node.Metadata.Name);
            }
            else
            {
                _nodes![node.Metadata.Name] = node;
            }
        }

        changed();
    }

    async Task FailedAsync(Exception e, CancellationToken cancellationToken)
    {
        if (KubernetesErrors.IsGone(e))
        {
            // Too far behind, or the server forgot: what happened meanwhile is only in a new list.
            LogGone(log);
            _version = null;
        }
        else
        {
            if (e is HttpOperationException or KubernetesException)
            {
                // The server refuses this very watch (a version from before a restored backup, for instance): begin anew. A lost connection keeps its version.
                _version = null;
            }

            var text = KubernetesErrors.Describe(e, client.BaseUri, "watch nodes", RbacRule.Nodes);
            if (text != _said)
            {
                _said = text;
                LogFailed(log, text);
            }
        }

        await _backoff.WaitAsync(cancellationToken);
    }

    void Reached(int count)
    {
        _said = null;
        LogListed(log, count, client.BaseUri.Authority);
    }

    [LoggerMessage(5301, LogLevel.Information, "Read {Count} nodes from the Kubernetes API at {Server} and watching them")]
    static partial void LogListed(ILogger logger, int count, string server);

    [LoggerMessage(5302, LogLevel.Warning, "Inventory: {Reason}; the last known inventory stays in force, trying again")]
    static partial void LogFailed(ILogger logger, string reason);

    [LoggerMessage(5303, LogLevel.Information, "Inventory: the watch is too old (410 Gone), reading all nodes anew")]
    static partial void LogGone(ILogger logger);
}
