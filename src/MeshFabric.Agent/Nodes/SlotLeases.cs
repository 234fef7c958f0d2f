using System.Net;
using k8s;
using k8s.Autorest;
using k8s.Models;
using MeshFabric.Installation;

namespace MeshFabric.Agent.Nodes;

/// <summary>The gateways' slots as leases (coordination.k8s.io) of the agent's namespace.</summary>
/// <remarks>
/// Whether a lease has expired is judged by how long this agent saw it unchanged, never by comparing clocks: after an hour without the API nobody's
/// slot is taken away just because nobody could renew it.
/// </remarks>
sealed class SlotLeases(IKubernetes client, string @namespace, string node, TimeProvider time)
{
    public static readonly TimeSpan Duration = TimeSpan.FromSeconds(15);
    const string Prefix = InstallationNames.LeasePrefix;

    // A holder must be able to try again, by another connection, before its time is over.
    static readonly TimeSpan RequestLimit = TimeSpan.FromSeconds(4);

    // A longer silence means that the API was away, for the holders perhaps as well: everybody gets their time again.
    static readonly TimeSpan Silence = TimeSpan.FromSeconds(6);

    readonly Dictionary<string, (string Version, long Since)> _seen = new(StringComparer.Ordinal);
    readonly Dictionary<string, long> _freeSince = new(StringComparer.Ordinal);
    long? _readAt;
    Dictionary<string, V1Lease> _leases = new(StringComparer.Ordinal);

    /// <param name="count">How many slots there are to be.</param>
    public async Task<IReadOnlyList<GatewaySlot>> ReadAsync(int count, CancellationToken cancellationToken)
    {
        var list = await LimitedAsync(token => client.CoordinationV1.ListNamespacedLeaseAsync(@namespace, cancellationToken: token), cancellationToken);
        if (_readAt is { } at && time.GetElapsedTime(at) > Silence)
        {
            _seen.Clear();
            _freeSince.Clear();
        }

        _readAt = time.GetTimestamp();
        _leases = list.Items.Where(l => l.Metadata.Name.StartsWith(Prefix, StringComparison.Ordinal)).ToDictionary(l => l.Metadata.Name[Prefix.Length..], StringComparer.Ordinal);
        return GatewayElection.Slots(count, _leases.Select(l => new GatewaySlot(l.Key, string.IsNullOrEmpty(l.Value.Spec?.HolderIdentity) ? null : l.Value.Spec.HolderIdentity, Expired(l.Key, l.Value))).ToList())
            .Select(s => s with { FreeFor = FreeFor(s) }).ToList();
    }

    /// <summary>Takes a slot, or renews it. False: somebody else was faster.</summary>
    public Task<bool> HoldAsync(string slot, CancellationToken cancellationToken) => WriteAsync(slot, node, cancellationToken);

    /// <summary>Gives a slot back.</summary>
    public Task<bool> ReleaseAsync(string slot, CancellationToken cancellationToken) => WriteAsync(slot, "", cancellationToken);

    async Task<bool> WriteAsync(string slot, string holder, CancellationToken cancellationToken)
    {
        var now = time.GetUtcNow().UtcDateTime;
        var present = _leases.GetValueOrDefault(slot);
        var lease = present ?? new V1Lease { Metadata = new V1ObjectMeta { Name = Prefix + slot, NamespaceProperty = @namespace } };
        lease.Spec = new V1LeaseSpec
        {
            HolderIdentity = holder,
            LeaseDurationSeconds = (int)Duration.TotalSeconds,
            AcquireTime = present?.Spec?.HolderIdentity == holder ? present.Spec.AcquireTime : now,
            RenewTime = now,
            LeaseTransitions = (present?.Spec?.LeaseTransitions ?? 0) + (present is null || present.Spec?.HolderIdentity == holder ? 0 : 1),
        };
        try
        {
            _leases[slot] = present is null
                ? await LimitedAsync(token => client.CoordinationV1.CreateNamespacedLeaseAsync(lease, @namespace, cancellationToken: token), cancellationToken)
                : await LimitedAsync(token => client.CoordinationV1.ReplaceNamespacedLeaseAsync(lease, lease.Metadata.Name, @namespace, cancellationToken: token), cancellationToken);
            return true;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Conflict)
        {
            return false;
        }
    }

    async Task<T> LimitedAsync<T>(Func<CancellationToken, Task<T>> request, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(RequestLimit, time);
        using var limited = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, limit.Token);
        try
        {
            return await request(limited.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"the cluster's API did not answer within {RequestLimit.TotalSeconds:0} s");
        }
    }

    TimeSpan FreeFor(GatewaySlot slot)
    {
        if (!slot.IsFree)
        {
            _freeSince.Remove(slot.Name);
            return TimeSpan.Zero;
        }

        _freeSince.TryAdd(slot.Name, time.GetTimestamp());
        return time.GetElapsedTime(_freeSince[slot.Name]);
    }

    bool Expired(string slot, V1Lease lease)
    {
        var version = lease.Metadata.ResourceVersion;
        if (!_seen.TryGetValue(slot, out var seen) || seen.Version != version)
        {
            _seen[slot] = (version, time.GetTimestamp());
            return false;
        }

        return time.GetElapsedTime(seen.Since) > Duration;
    }
}
