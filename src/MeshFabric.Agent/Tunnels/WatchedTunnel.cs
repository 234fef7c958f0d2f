using MeshFabric.Agent.Probing;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;
using MeshFabric.Net;
using MeshFabric.WireGuard;

namespace MeshFabric.Agent.Tunnels;

/// <summary>What is known of one tunnel. Locked by whoever uses it: probes come back at any time.</summary>
sealed class WatchedTunnel(DateTimeOffset since)
{
    public TunnelLiveness Liveness { get; } = new();
    public required TunnelDevice Device { get; set; }
    public required TunnelPeer Peer { get; set; }
    public PeerState? State { get; private set; }

    /// <summary>Its state is the same since then.</summary>
    public DateTimeOffset Since { get; private set; } = since;

    public MtuSearch Mtu { get; } = new();

    /// <summary>Of what is behind the far gateway, through it.</summary>
    public PathLiveness Inside { get; } = new();

    /// <summary>The far gateway does not reach what is behind it, although another one of its cluster does.</summary>
    public bool IsBlind { get; set; }

    /// <summary>Takes turns, so that a beacon that is gone does not make a gateway look bad.</summary>
    public Cidr? NextBeacon() => Peer.Beacons.Count == 0 ? null : Peer.Beacons[_beacon++ % Peer.Beacons.Count];

    /// <summary>What the kernel knows to fit, bytes.</summary>
    public int Bound { get; set; } = MtuSearch.Usual;

    /// <summary>Sent since what is counted began, as <see cref="ProbePace"/> counts them.</summary>
    public int Probes { get; set; }

    /// <summary>As of <see cref="TunnelReport.KeyEpoch"/>.</summary>
    public int KeyEpoch { get; private set; }

    /// <summary>Somebody waits for its next answer.</summary>
    public bool IsAwaited { get; set; }

    /// <summary>When the last probe was sent that was answered.</summary>
    public DateTimeOffset? AnsweredOf { get; private set; }

    // Where nobody answers inside there is nothing more to find out quickly.
    public bool IsQuick => _carries || IsAwaited || Liveness.Path.LostInARow > 0 || Inside.LostInARow is > 0 and < PathLiveness.DeadAfter;

    // One reading may come moments after the other.
    static readonly TimeSpan Window = TimeSpan.FromSeconds(1);

    int _beacon;
    bool _carries;
    (ulong Bytes, DateTimeOffset At) _counted = (0, since);
    DateTimeOffset? _before;
    int _setEpoch;
    DateTimeOffset _setSince;

    /// <param name="sentAt">When the probe was sent.</param>
    public void Answered(TimeSpan roundTrip, DateTimeOffset sentAt)
    {
        Liveness.Path.Answered(roundTrip);
        AnsweredOf = sentAt > AnsweredOf || AnsweredOf is null ? sentAt : AnsweredOf;
    }

    /// <summary>Takes over what the device says of it: that it carries traffic as soon as that is seen, that it does not when that was so for a while.</summary>
    public void Read(PeerState? state, DateTimeOffset now)
    {
        State = state;
        var bytes = state is null ? 0 : state.ReceivedBytes + state.SentBytes;
        // Counted anew when its device was made anew.
        var carries = bytes > _counted.Bytes && ProbePace.Carries(bytes - _counted.Bytes, Probes);
        if (carries || bytes < _counted.Bytes || now - _counted.At >= Window)
        {
            (_carries, _counted, Probes) = (carries, (bytes, now), 0);
        }
    }

    /// <summary>Its far gateway has another key, and so it is another peer of the device: the session before says how fresh it is until there was a handshake with that one.</summary>
    public void Succeed() => _before = State?.LastHandshake ?? _before;

    /// <summary>After the key was set on the device; true when another one is in force, as it is from the next handshake on.</summary>
    public bool Keyed(int epoch, DateTimeOffset now)
    {
        if (_setEpoch != epoch)
        {
            (_setEpoch, _setSince) = (epoch, now);
        }

        if (KeyEpoch == _setEpoch || !(State?.LastHandshake > _setSince))
        {
            return false;
        }

        KeyEpoch = _setEpoch;
        return true;
    }

    /// <summary>True when its state is another one now.</summary>
    public bool Judge(DateTimeOffset now)
    {
        if (!Liveness.Update(State?.LastHandshake ?? _before, now))
        {
            return false;
        }

        Since = now;
        return true;
    }

    public TunnelReport Report(string device, TunnelPeer peer)
    {
        var endpoint = State?.Endpoint is { } e ? UdpEndpoint.Of(e) : null;
        return new TunnelReport(device, peer.Cluster, peer.Gateway, Liveness.State, endpoint, State?.LastHandshake, Liveness.Path.RoundTrip?.TotalSeconds, Liveness.Path.LossRatio, State?.ReceivedBytes ?? 0, State?.SentBytes ?? 0)
        {
            Relay = peer.Candidates.FirstOrDefault(c => c.Kind == CandidateKind.Relay && c.Endpoint == endpoint)?.Relay,
            MtuBytes = Mtu.Mtu,
            JitterSeconds = Liveness.Path.Jitter?.TotalSeconds,
            KeyEpoch = KeyEpoch,
            ReachesInside = peer.Beacons.Count > 0 && (IsBlind || Inside.IsAlive) ? !IsBlind : null,
        };
    }
}
