using System.Net;
using MeshFabric.Net;

namespace MeshFabric.WireGuard.Linux;

/// <summary>Gathers a device from the messages of a dump.</summary>
sealed class DeviceBuilder(string name)
{
    readonly Dictionary<PublicKey, PeerBuilder> _peers = [];

    public PublicKey? PublicKey { get; set; }
    public int ListenPort { get; set; }
    public uint FirewallMark { get; set; }

    public PeerBuilder Peer(PublicKey key)
    {
        if (!_peers.TryGetValue(key, out var peer))
        {
            _peers[key] = peer = new PeerBuilder();
        }

        return peer;
    }

    public DeviceState Build() => new(name, PublicKey, ListenPort, FirewallMark, _peers
        .OrderBy(p => p.Key)
        .Select(p => new PeerState(p.Key, p.Value.PresharedKey, p.Value.Endpoint, p.Value.Keepalive, p.Value.LastHandshake, p.Value.ReceivedBytes, p.Value.SentBytes, p.Value.AllowedIps.Order().ToValueList()))
        .ToValueList());
}

sealed class PeerBuilder
{
    public PresharedKey? PresharedKey { get; set; }
    public IPEndPoint? Endpoint { get; set; }
    public int Keepalive { get; set; }
    public DateTimeOffset? LastHandshake { get; set; }
    public ulong ReceivedBytes { get; set; }
    public ulong SentBytes { get; set; }
    public List<Cidr> AllowedIps { get; } = [];
}
