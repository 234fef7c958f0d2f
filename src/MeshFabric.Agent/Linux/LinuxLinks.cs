using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Tunnels;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Agent.Linux;

/// <summary>Links by rtnetlink.</summary>
public sealed class LinuxLinks : ILinks, IDisposable
{
    readonly RouteNetlink _netlink = RouteNetlink.Open();
    readonly Lock _oneAtATime = new();

    // Milliseconds, and addresses.
    const int LookupLifetime = 3000, MostLookups = 10_000;

    readonly Dictionary<System.Net.IPAddress, (RouteLookup? Lookup, long At)> _ways = [];
    Dictionary<int, Link> _links = [];
    long _linksAt;

    public Task ApplyAsync(string device, int mtu, ValueList<Cidr> addresses, CancellationToken cancellationToken)
    {
        lock (_oneAtATime)
        {
            var link = _netlink.FindLink(device) ?? throw new InvalidOperationException($"the device {device} is gone");
            LinuxSysctls.PrepareDevice(device);
            if (link.Mtu != mtu)
            {
                _netlink.SetMtu(link.Index, mtu);
            }

            var present = _netlink.Addresses().Where(a => a.LinkIndex == link.Index && !a.Address.IsIPv6LinkLocal).ToList();
            var possible = LinuxIPv6.IsOn(device) ? addresses : addresses.Where(a => a.IsIPv4).ToValueList();
            foreach (var wanted in possible.Where(w => !present.Exists(p => p.Address.Equals(w.Address) && p.Length == w.Length)))
            {
                _netlink.AddAddress(new LinkAddress(link.Index, wanted.Address, wanted.Length));
            }

            foreach (var unwanted in present.Where(p => !addresses.Any(w => p.Address.Equals(w.Address) && p.Length == w.Length)))
            {
                _netlink.DeleteAddress(unwanted);
            }

            if (!link.IsUp)
            {
                _netlink.SetUp(link.Index);
            }
        }

        return Task.CompletedTask;
    }

    /// <remarks>The link on the way, or less where the kernel was told so (RFC 1191), without 80 bytes of IPv6, UDP and WireGuard. One byte too large is deadly: TCP falls to a thousandth while pings pass.</remarks>
    public int? TunnelMtu(System.Net.IPAddress outer)
    {
        const int overhead = 80;
        lock (_oneAtATime)
        {
            return Way(outer) is { Lookup: { } way, Link: { } link } && !link.Name.StartsWith("mf", StringComparison.Ordinal)
                ? Math.Clamp((way.Mtu > 0 ? way.Mtu : link.Mtu) - overhead, MtuSearch.Smallest, MtuSearch.Largest)
                : null;
        }
    }

    public System.Net.IPAddress? SourceTowards(System.Net.IPAddress to)
    {
        lock (_oneAtATime)
        {
            return Way(to).Lookup?.Source;
        }
    }

    // Asked for each peer in each turn: of a thousand tunnels the kernel would have little else to tell.
    (RouteLookup? Lookup, Link? Link) Way(System.Net.IPAddress to)
    {
        var now = Environment.TickCount64;
        if (now - _linksAt > 1000 || _linksAt == 0)
        {
            (_links, _linksAt) = (_netlink.Links().ToDictionary(l => l.Index), now);
        }

        if (!_ways.TryGetValue(to, out var known) || now - known.At > LookupLifetime)
        {
            if (_ways.Count > MostLookups)
            {
                _ways.Clear();
            }

            _ways[to] = known = (_netlink.Lookup(to), now);
        }

        return (known.Lookup, known.Lookup is { } way ? _links.GetValueOrDefault(way.LinkIndex) : null);
    }

    public void Dispose() => _netlink.Dispose();
}
