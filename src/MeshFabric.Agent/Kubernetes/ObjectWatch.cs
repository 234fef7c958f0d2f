using System.Net.Http;
using k8s;
using k8s.Autorest;
using k8s.Models;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Keeps a copy of all objects of one kind: a list, then a watch from its version on, for ever.</summary>
/// <param name="changed">Called after each change of the copy; must not block.</param>
sealed partial class ObjectWatch<T>(IKubernetes client, ObjectKind<T> kind, TimeProvider time, Action changed, ILogger log) where T : class, IKubernetesObject<V1ObjectMeta>
{
    const int PageSize = 500;

    // The server ends a watch after this; a little longer without a word means a dead connection, which TCP alone may hide for a quarter of an hour.
    const int WatchSeconds = 120;
    static readonly TimeSpan Silence = TimeSpan.FromSeconds(WatchSeconds + 30);

    readonly Lock _lock = new();
    readonly Backoff _backoff = new(time);
    Dictionary<string, T>? _objects;
    string? _version;
    volatile string? _said;

    /// <summary>Why they cannot be watched now; null while they can.</summary>
    public string? Failure => _said;

    /// <summary>Null until the first list was read.</summary>
    public IReadOnlyList<T>? Objects
    {
        get
        {
            lock (_lock)
            {
                return _objects is null ? null : [.. _objects.Values];
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
        var objects = new Dictionary<string, T>(StringComparer.Ordinal);
        string? next = null;
        do
        {
            var (items, metadata) = await kind.List(client, PageSize, next, cancellationToken);
            foreach (var item in items)
            {
                objects[item.Metadata.Name] = item;
            }

            next = metadata.ContinueProperty;
            _version = metadata.ResourceVersion;
        }
        while (!string.IsNullOrEmpty(next));

        lock (_lock)
        {
            _objects = objects;
        }

        Reached(objects.Count);
        changed();
    }

    async Task WatchAsync(CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Silence);
        Exception? failure = null;
        var started = time.GetTimestamp();
        await foreach (var (change, item) in kind.Watch(client, _version, WatchSeconds, e => failure ??= e, limit.Token))
        {
            if (change != WatchEventType.Error && item?.Metadata is not null)
            {
                Apply(change, item);
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

    void Apply(WatchEventType change, T item)
    {
        _version = item.Metadata.ResourceVersion;
        _said = null;
        _backoff.Reset();
        if (change == WatchEventType.Bookmark)
        {
            return;
        }

        lock (_lock)
        {
            if (change == WatchEventType.Deleted)
            {
                _objects!.Remove(item.Metadata.Name);
            }
            else
            {
                _objects![item.Metadata.Name] = item;
            }
        }

        changed();
    }

    async Task FailedAsync(Exception e, CancellationToken cancellationToken)
    {
        if (KubernetesErrors.IsGone(e))
        {
            // Too far behind, or the server forgot: what happened meanwhile is only in a new list.
            LogGone(log, kind.Plural);
            _version = null;
        }
        else
        {
            if (e is HttpOperationException or KubernetesException)
            {
                // The server refuses this very watch (a version from before a restored backup, for instance): begin anew. A lost connection keeps its version.
                _version = null;
            }

            var text = KubernetesErrors.Describe(e, client.BaseUri, $"watch {kind.Plural}", kind.Rule);
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
        LogListed(log, count, kind.Plural, client.BaseUri.Authority);
    }

    [LoggerMessage(5301, LogLevel.Information, "Read {Count} {Kind} from the Kubernetes API at {Server} and watching them")]
    static partial void LogListed(ILogger logger, int count, string kind, string server);

    [LoggerMessage(5302, LogLevel.Warning, "Kubernetes: {Reason}; what is known stays in force, trying again")]
    static partial void LogFailed(ILogger logger, string reason);

    [LoggerMessage(5303, LogLevel.Information, "Kubernetes: the watch is too old (410 Gone), reading all {Kind} anew")]
    static partial void LogGone(ILogger logger, string kind);
}
