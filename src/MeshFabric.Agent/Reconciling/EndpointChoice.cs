using System.Net;
using MeshFabric.Domain.Planning;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Reconciling;

/// <summary>Where a device dials one peer. Pure: time is handed in.</summary>
/// <remarks>
/// The side that initiates dials its candidates in turn. The other side waits to be dialled and learns the address from that; if nothing
/// comes it dials as well, later, so that both do not start at the same instant.
/// </remarks>
public sealed class EndpointChoice
{
    public static readonly TimeSpan PerCandidate = TimeSpan.FromSeconds(5);
    public static readonly TimeSpan AnswererPatience = TimeSpan.FromSeconds(3);

    DateTimeOffset? _silentSince;
    IPEndPoint? _learned;

    /// <summary>The endpoint to want now; null leaves what the device knows.</summary>
    public IPEndPoint? Choose(TunnelPeer peer, PeerState? state, DateTimeOffset now)
    {
        if (state is { LastHandshake: { } at, Endpoint: { } endpoint } && now - at < Tunnels.TunnelLiveness.HandshakeLifetime)
        {
            _learned = endpoint;
            _silentSince = null;
            return null;
        }

        _silentSince ??= now;
        var silent = now - _silentSince.Value;
        if (_learned is not null && silent < PerCandidate)
        {
            // The device was made anew: whoever knew the way goes first, the far side will not notice for 15 s.
            return _learned;
        }

        if (peer.Endpoints.Count == 0 || (!peer.Initiates && silent < AnswererPatience))
        {
            return null;
        }

        return peer.Endpoints[(int)(silent / PerCandidate) % peer.Endpoints.Count].ToIPEndPoint();
    }
}
