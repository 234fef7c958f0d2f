using MeshFabric.Agent.Ports;
using MeshFabric.Net;
using MeshFabric.Netlink.Route;

namespace MeshFabric.Agent.Linux;

/// <summary>Links by rtnetlink.</summary>
public sealed class LinuxLinks : ILinks, IDisposable
{
    readonly RouteNetlink _netlink = RouteNetlink.Open();
    readonly Lock _oneAtATime = new();

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

    /// <summary>What still fits through a tunnel whose outer packets go to these addresses: the smallest link on the way, less 80 bytes (IPv6, UDP, WireGuard).</summary>
    /// <remarks>One byte too large is deadly: TCP falls to a thousandth while pings pass.</remarks>
    public int TunnelMtu(IEnumerable<System.Net.IPAddress> outer)
    {
        const int overhead = 80, fallback = 1420, smallest = 1280;
        lock (_oneAtATime)
        {
            var links = _netlink.Links().ToDictionary(l => l.Index);
            var path = outer.Distinct().Take(64)
                .Select(a => _netlink.Lookup(a))
                .OfType<RouteLookup>()
                .Where(r => links.TryGetValue(r.LinkIndex, out var l) && !l.Name.StartsWith("mf", StringComparison.Ordinal))
                .Select(r => r.Mtu > 0 ? r.Mtu : links[r.LinkIndex].Mtu)
                .DefaultIfEmpty(fallback + overhead)
                .Min();
            return Math.Clamp(path - overhead, smallest, fallback);
        }
    }

    public System.Net.IPAddress? SourceTowards(System.Net.IPAddress to)
    {
        lock (_oneAtATime)
        {
            return _netlink.Lookup(to)?.Source;
        }
    }

    public void Dispose() => _netlink.Dispose();
}
