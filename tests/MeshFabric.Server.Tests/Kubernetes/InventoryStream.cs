using System.Collections.Concurrent;
using System.Diagnostics;
using MeshFabric.Agent.Inventory;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Domain.Clusters;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>A running source, all it has emitted and all it has logged.</summary>
sealed class InventoryStream : ILoggerFactory, ILogger, IAsyncDisposable
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    readonly CancellationTokenSource _ended = new();
    readonly KubernetesInventorySource _source;
    readonly Task _reading;

    public InventoryStream(KubernetesOptions options, INodeObservations? observations = null)
    {
        _source = KubernetesInventorySource.Create(options, observations ?? NoObservations.Instance, TimeProvider.System, this);
        _reading = Task.Run(ReadAsync);
    }

    public ConcurrentQueue<ClusterInventory> Emitted { get; } = [];

    public ConcurrentQueue<string> Logged { get; } = [];

    public async Task<ClusterInventory> UntilAsync(Func<ClusterInventory, bool> condition, CancellationToken cancellationToken)
    {
        await UntilAsync(() => Emitted.LastOrDefault() is { } last && condition(last), cancellationToken);
        return Emitted.Last();
    }

    public Task UntilLoggedAsync(string text, CancellationToken cancellationToken) =>
        UntilLoggedAsync(text, 1, cancellationToken);

    public Task UntilLoggedAsync(string text, int times, CancellationToken cancellationToken) =>
        UntilAsync(() => TimesLogged(text) >= times, cancellationToken);

    public int TimesLogged(string text) => Logged.Count(l => l.Contains(text, StringComparison.Ordinal));

    public async ValueTask DisposeAsync()
    {
        await _ended.CancelAsync();
        await _reading;
        _source.Dispose();
        _ended.Dispose();
    }

    public ILogger CreateLogger(string categoryName) => this;

    public void AddProvider(ILoggerProvider provider) => throw new NotSupportedException();

    public void Dispose()
    {
        // As a logger factory: nothing to give back.
    }

    public IDisposable? BeginScope<TState>(TState state) where TState : notnull => null;

    public bool IsEnabled(LogLevel logLevel) => true;

    public void Log<TState>(LogLevel logLevel, EventId eventId, TState state, Exception? exception, Func<TState, Exception?, string> formatter) =>
        Logged.Enqueue($"{logLevel}: {formatter(state, exception)}");

    async Task ReadAsync()
    {
        try
        {
            await foreach (var inventory in _source.WatchAsync(_ended.Token))
            {
                Emitted.Enqueue(inventory);
            }
        }
        catch (OperationCanceledException) when (_ended.IsCancellationRequested)
        {
            // The end of the test.
        }
    }

    async Task UntilAsync(Func<bool> condition, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            Assert.True(!_reading.IsFaulted, _reading.Exception?.ToString());
            Assert.True(clock.Elapsed < Limit, $"not seen within {Limit.TotalSeconds} s; last emitted: {Emitted.LastOrDefault()}; logged:\n{string.Join('\n', Logged)}");
            await Task.Delay(25, cancellationToken);
        }
    }
}
