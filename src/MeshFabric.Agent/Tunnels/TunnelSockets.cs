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
    readonly ConcurrentDictionary<string, EchoSocket> _sockets = new(StringComparer.Ordinal);

    /// <summary>Whom to ask, and by what; null while there is no device.</summary>
    public (EchoSocket Socket, IPAddress Address)? Target(TunnelDevice device, ValueList<Cidr> addresses) =>
        addresses.FirstOrDefault(a => a.IsIPv4)?.Address is { } address && Of(device) is { } socket ? (socket, address) : null;

    /// <summary>Closes all but those of these devices. A socket is bound to its link's number, which is another one when the link was made anew.</summary>
    public void Keep(IEnumerable<string> devices)
    {
        foreach (var device in _sockets.Keys.Except(devices))
        {
            if (_sockets.TryRemove(device, out var stale))
            {
                stale.Dispose();
            }
        }
    }

    public void Dispose() => Keep([]);

    /// <summary>A socket of one's own whose answers may come by another device; null while there is no device.</summary>
    public EchoSocket? ByAnyWay(TunnelDevice device) => Open(() => new EchoSocket(device.Name, device.Addresses.First(a => a.IsIPv4).Address, time, byAnyWay: true));

    EchoSocket? Of(TunnelDevice device) => Open(() => _sockets.GetOrAdd(device.Name, name => new EchoSocket(name, device.Addresses.First(a => a.IsIPv4).Address, time)));

    static EchoSocket? Open(Func<EchoSocket> open)
    {
        try
        {
            return open();
        }
        catch (SocketException)
        {
            // The device or its address is not there yet; the next turn tries again.
            return null;
        }
    }
}
