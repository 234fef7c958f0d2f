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
            if (_netlink.Lookup(outer) is not { } way || _netlink.Links().FirstOrDefault(l => l.Index == way.LinkIndex) is not { } link || link.Name.StartsWith("mf", StringComparison.Ordinal))
            {
                return null;
            }

            return Math.Clamp((way.Mtu > 0 ? way.Mtu : link.Mtu) - overhead, MtuSearch.Smallest, MtuSearch.Largest);
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
