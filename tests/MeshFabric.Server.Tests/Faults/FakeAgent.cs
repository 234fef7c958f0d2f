using System.Collections.Concurrent;
using MeshFabric.Agent.Facts;
using MeshFabric.Agent.Messaging;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain;
using MeshFabric.Server.Tests.Messaging;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshFabric.Server.Tests.Faults;

/// <summary>An agent without a host: the product's own link and replica, a heartbeat every second, and a note of all it was told.</summary>
public sealed class FakeAgent : IControlInbox, IAsyncDisposable
{
    readonly ControlLink _link;
    readonly FactsReplica _replica;
    readonly CancellationTokenSource _stop = new();
    readonly Lock _lock = new();
    readonly List<long> _applied = [];
    Task _beating = Task.CompletedTask;

    FakeAgent(TestAgent agent)
    {
        Name = agent.Identity.Cluster;
        User = agent.User;
        _replica = new FactsReplica(agent.State.ReadFacts(out _));
        _link = new ControlLink(agent.State, TimeProvider.System, NullLogger<ControlLink>.Instance) { Inbox = this };
    }

    public string Name { get; }

    /// <summary>Its name on the broker.</summary>
    public string User { get; }

    /// <summary>Types of the messages that came, in order.</summary>
    public ConcurrentQueue<string> Received { get; } = [];

    public MeshFacts? Facts
    {
        get
        {
            lock (_lock)
            {
                return _replica.Facts;
            }
        }
    }

    /// <summary>Revisions that the replica took, in order.</summary>
    public IReadOnlyList<long> Applied
    {
        get
        {
            lock (_lock)
            {
                return [.. _applied];
            }
        }
    }

    public static async Task<FakeAgent> StartAsync(TestAgent agent, CancellationToken cancellationToken)
    {
        var fake = new FakeAgent(agent);
        await fake._link.StartAsync(cancellationToken);
        fake._beating = fake.BeatAsync();
        return fake;
    }

    public Task OnFactsChangedAsync(FactsChanged message, CancellationToken cancellationToken) => TakeAsync("delta", () => _replica.Apply(message), cancellationToken);

    public Task OnFactsSnapshotAsync(FactsSnapshot message, CancellationToken cancellationToken) => TakeAsync("snapshot", () => _replica.Apply(message), cancellationToken);

    public Task OnOfferDeviceKeyAsync(OfferDeviceKey message, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task OnMeshSecretIssuedAsync(MeshSecretIssued message, CancellationToken cancellationToken)
    {
        Received.Enqueue($"secret {message.Epoch}");
        return Task.CompletedTask;
    }

    public Task OnProbeTunnelsAsync(ProbeTunnels message, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task OnLeaveMeshAsync(LeaveMesh message, CancellationToken cancellationToken) => Task.CompletedTask;

    public Task OnRefusedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task OnConnectedAsync(CancellationToken cancellationToken) => _link.SendAsync(new RequestFacts(Facts?.Revision ?? 0, "connected"), cancellationToken);

    public async ValueTask DisposeAsync()
    {
        await _stop.CancelAsync();
        await _beating;
        await _link.StopAsync(CancellationToken.None);
        _link.Dispose();
        _stop.Dispose();
    }

    async Task TakeAsync(string kind, Func<FactsOutcome> apply, CancellationToken cancellationToken)
    {
        FactsOutcome outcome;
        lock (_lock)
        {
            outcome = apply();
            if (outcome == FactsOutcome.Applied)
            {
                _applied.Add(_replica.Revision);
            }
        }

        Received.Enqueue($"{kind} {outcome}");
        if (outcome == FactsOutcome.Gap)
        {
            await _link.SendAsync(new RequestFacts(Facts?.Revision ?? 0, "gap"), cancellationToken);
        }
    }

    async Task BeatAsync()
    {
        using var timer = new PeriodicTimer(TimeSpan.FromSeconds(1));
        try
        {
            while (await timer.WaitForNextTickAsync(_stop.Token))
            {
                var revision = Facts?.Revision ?? 0;
                await _link.SendAsync(new AgentHeartbeat("fake", revision, revision, 0, 0), _stop.Token);
            }
        }
        catch (OperationCanceledException)
        {
            // Stopped.
        }
    }
}
