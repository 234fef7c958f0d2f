using System.Net;
using MeshFabric.Domain.Planning;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Reconciling;

/// <summary>Where a device dials one peer. Pure: time is handed in.</summary>
/// <remarks>
/// The side that initiates dials its candidates in turn. The other side waits to be dialled and learns the address from that; if nothing
/// comes it dials as well, later, so that both do not start at the same instant. A session outlives the way that it was made by for minutes:
/// where no answers come any more the other candidates are tried all the same, and the learned one among them.
/// </remarks>
public sealed class EndpointChoice
{
    public static readonly TimeSpan PerCandidate = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan AnswererPatience = TimeSpan.FromSeconds(3);

    DateTimeOffset? _silentSince;
    IPEndPoint? _learned;

    /// <summary>The endpoint to want now; null leaves what the device knows.</summary>
    /// <param name="isDown">Probes by this tunnel were answered, and are no more.</param>
    public IPEndPoint? Choose(TunnelPeer peer, PeerState? state, bool isDown, DateTimeOffset now)
    {
        var isFresh = state is { LastHandshake: { } at, Endpoint: not null } && now - at < Tunnels.TunnelLiveness.HandshakeLifetime;
        if (isFresh && !isDown)
        {
            _learned = state!.Endpoint;
            _silentSince = null;
            return null;
        }

        _silentSince ??= now;
        var silent = now - _silentSince.Value;
        if (silent < PerCandidate && (isFresh || _learned is not null))
        {
            // The device was made anew: whoever knew the way goes first, the far side will not notice for 15 s.
            return isFresh ? null : _learned;
        }

        if (peer.Endpoints.Count == 0 || (!peer.Initiates && silent < AnswererPatience))
        {
            return null;
        }

        var candidates = peer.Endpoints.Select(e => e.ToIPEndPoint()).ToList();
        var tried = isFresh && _learned is not null ? candidates.IndexOf(_learned) : 0;
        if (isFresh && _learned is not null && tried < 0)
        {
            candidates.Add(_learned);
        }

        return candidates[(tried + (int)(silent / PerCandidate)) % candidates.Count];
    }
}
