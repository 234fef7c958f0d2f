using MeshFabric.Agent.State;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Tunnels;

/// <summary>The pre-shared key of each tunnel, and which epoch it is of.</summary>
/// <param name="secrets">Null: none are held, and whatever a device has stays.</param>
public sealed class TunnelKeys(MeshSecrets? secrets)
{
    readonly Dictionary<PublicKey, KeyChoice> _choices = [];

    /// <summary>Of the key that was last put on the device for this peer; 0 where none is known.</summary>
    public int EpochOf(PublicKey peer) => _choices.GetValueOrDefault(peer)?.Epoch ?? 0;

    /// <summary>For a peer that holds itself ready only: nothing has failed with it yet. Null for no key.</summary>
    public PresharedKey? Ready(PublicKey near, PublicKey peer, int epoch) => epoch == 0 ? null : secrets?.KeyOf(near, peer, epoch);

    /// <summary>What the device should have now; null for no key. What cannot be made stays as it is there: a tunnel that works goes on.</summary>
    /// <param name="near">Which of this gateway's keys the device has.</param>
    public PresharedKey? Of(PublicKey near, TunnelPeer peer, PeerState? state, DateTimeOffset now)
    {
        if (peer.KeyEpoch == 0)
        {
            _choices.Remove(peer.PublicKey);
            return null;
        }

        if (!_choices.TryGetValue(peer.PublicKey, out var choice))
        {
            _choices[peer.PublicKey] = choice = new KeyChoice();
        }

        return choice.Choose(peer.KeyEpoch, secrets?.Held ?? [], state?.LastHandshake, now) is { } epoch && secrets?.KeyOf(near, peer.PublicKey, epoch) is { } key ? key : state?.PresharedKey;
    }
}
