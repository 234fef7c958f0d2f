using MeshFabric.Net;

namespace MeshFabric.Agent.Reconciling;

/// <summary>Whose packets a leaf sends by its own tunnels. Prefixes that it gets while it runs wait a while: the far gateways hear of them at the same moment, and take nothing from them before they have applied it.</summary>
public sealed class LeafSources(TimeProvider time)
{
    public static readonly TimeSpan Wait = TimeSpan.FromSeconds(3);

    // By prefix, when it was first wanted; null: from the beginning.
    readonly Dictionary<Cidr, long?> _since = [];
    bool _hasBegun;

    /// <param name="wanted">Null: everybody's.</param>
    public ValueList<Cidr>? Settled(ValueList<Cidr>? wanted)
    {
        if (wanted is null)
        {
            return null;
        }

        foreach (var gone in _since.Keys.Except(wanted).ToList())
        {
            _since.Remove(gone);
        }

        foreach (var prefix in wanted)
        {
            _since.TryAdd(prefix, _hasBegun ? time.GetTimestamp() : null);
        }

        _hasBegun = true;
        return wanted.Where(p => _since[p] is not { } since || time.GetElapsedTime(since) >= Wait).ToValueList();
    }
}
