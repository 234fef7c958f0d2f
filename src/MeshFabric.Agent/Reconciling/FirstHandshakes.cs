using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Reconciling;

/// <summary>When the first handshake with a peer is to be begun anew. Pure: time is handed in.</summary>
/// <remarks>One that the far side was not ready for is repeated by WireGuard only after 5 s (REKEY_TIMEOUT): adding the peer anew repeats it at once.</remarks>
public sealed class FirstHandshakes
{
    /// <summary>From the adding of a peer to the first repetition, and between later ones: an answer that takes longer than the former still has the latter to come in.</summary>
    public static readonly TimeSpan Soon = TimeSpan.FromMilliseconds(500), Later = TimeSpan.FromSeconds(1);

    /// <summary>Then it is left to WireGuard.</summary>
    public const int Most = 20;

    readonly Dictionary<(string Device, PublicKey Peer), (DateTimeOffset At, int Count)> _begun = [];

    /// <summary>Those to begin anew now; counted as such.</summary>
    /// <param name="dialled">Peers that this side starts handshakes with.</param>
    /// <param name="before">Peers that the device has.</param>
    public HashSet<PublicKey> Repeat(string device, IEnumerable<PublicKey> dialled, IReadOnlyDictionary<PublicKey, PeerState> before, DateTimeOffset now)
    {
        var repeated = new HashSet<PublicKey>();
        foreach (var peer in dialled)
        {
            var id = (device, peer);
            if (!before.TryGetValue(peer, out var state) || !_begun.TryGetValue(id, out var last))
            {
                // Not there yet, or added with this turn at the earliest; or by an agent before this one.
                _begun[id] = (now, 0);
            }
            else if (state.LastHandshake is null && last.Count < Most && now - last.At >= (last.Count == 0 ? Soon : Later))
            {
                _begun[id] = (now, last.Count + 1);
                repeated.Add(peer);
            }
        }

        return repeated;
    }

    /// <summary>It is begun with as if it had never been there.</summary>
    public void Forget(string device, PublicKey peer) => _begun.Remove((device, peer));
}
