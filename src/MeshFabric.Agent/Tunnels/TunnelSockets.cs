using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;
using MeshFabric.Agent.Probing;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Tunnels;

/// <summary>By what probes go into each tunnel device.</summary>
sealed class TunnelSockets(TimeProvider time) : IDisposable
{
    readonly ConcurrentDictionary<(string Device, bool ByAnyWay), EchoSocket> _sockets = new();

    /// <summary>Whom to ask, and by what; null while there is no device. The answer must come by the same.</summary>
    public (EchoSocket Socket, IPAddress Address)? Target(TunnelDevice device, ValueList<Cidr> addresses) => Target(device, addresses, byAnyWay: false);

    /// <summary>As <see cref="Target(TunnelDevice, ValueList{Cidr})"/>, and the answer may come by another device: whoever is asked has several ways back, and chooses.</summary>
    public (EchoSocket Socket, IPAddress Address)? TargetByAnyWay(TunnelDevice device, ValueList<Cidr> addresses) => Target(device, addresses, byAnyWay: true);

    /// <summary>Closes all but those of these devices. A socket is bound to its link's number, which is another one when the link was made anew.</summary>
    public void Keep(IEnumerable<string> devices)
    {
        var kept = devices.ToHashSet(StringComparer.Ordinal);
        foreach (var stale in _sockets.Keys.Where(k => !kept.Contains(k.Device)))
        {
            if (_sockets.TryRemove(stale, out var socket))
            {
                socket.Dispose();
            }
        }
    }

    public void Dispose() => Keep([]);

    (EchoSocket Socket, IPAddress Address)? Target(TunnelDevice device, ValueList<Cidr> addresses, bool byAnyWay) =>
        addresses.FirstOrDefault(a => a.IsIPv4)?.Address is { } address && Of(device, byAnyWay) is { } socket ? (socket, address) : null;

    EchoSocket? Of(TunnelDevice device, bool byAnyWay)
    {
        try
        {
            return _sockets.GetOrAdd((device.Name, byAnyWay), _ => new EchoSocket(device.Name, device.Addresses.First(a => a.IsIPv4).Address, time, byAnyWay: byAnyWay));
        }
        catch (SocketException)
        {
            // The device or its address is not there yet; the next turn tries again.
            return null;
        }
    }
}
