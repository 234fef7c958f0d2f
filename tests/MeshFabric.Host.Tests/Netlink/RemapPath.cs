using System.Net;
using System.Net.Sockets;
using MeshFabric.Net;
using MeshFabric.Netlink.NfTables;
using MeshFabric.TestKit.Hosts;

namespace MeshFabric.Host.Tests.Netlink;

/// <summary>pod - worker - gateway - remote: the gateway translates 10.20.0.0/16 to 100.65.0.0/16 (and IPv6 likewise) on its device mf0, statelessly.</summary>
sealed class RemapPath : IDisposable
{
    public RemapPath(AddressFamily family)
    {
        Family = family;
        var v4 = family == AddressFamily.InterNetwork;
        Local = Cidr.Parse(v4 ? "10.20.0.0/16" : "fd10:20::/32");
        Outside = Cidr.Parse(v4 ? "100.65.0.0/16" : "fd65:1::/32");
        Remote = Cidr.Parse(v4 ? "10.10.0.0/16" : "fd10:10::/32");
        PodLocal = At(Local, 2, 10);
        PodOutside = Local.Translate(PodLocal, Outside);
        RemoteHost = At(Remote, 0, 10);
        Cables();
        Addresses();
        Worker.Forward();
        Gateway.Forward();
        Gateway.Nft(Translation(v4));
        Icmp = new IcmpTables(Gateway.Path);
    }

    public AddressFamily Family { get; }
    public Cidr Local { get; }
    public Cidr Outside { get; }
    public Cidr Remote { get; }
    public IPAddress PodLocal { get; }
    public IPAddress PodOutside { get; }
    public IPAddress RemoteHost { get; }
    public NetworkNamespace Pod { get; } = new("pod");
    public NetworkNamespace Worker { get; } = new("worker");
    public NetworkNamespace Gateway { get; } = new("gateway");
    public NetworkNamespace Far { get; } = new("far");
    public IcmpTables Icmp { get; }

    public void TranslateErrors(params Cidr[] destinations) => Icmp.Replace("mf", [new IcmpTranslation(Local, Outside, destinations.ToValueList())]);

    /// <summary>The worker's side only, so that the pod does not announce it in its TCP handshakes.</summary>
    public void ShrinkPodMtu(int mtu) => Worker.Run("ip", "link", "set", "pods", "mtu", $"{mtu}");

    public void Dispose()
    {
        foreach (var host in new[] { Pod, Worker, Gateway, Far })
        {
            host.Dispose();
        }
    }

    void Cables()
    {
        NetworkNamespace.Cable(Pod, "eth0", Worker, "pods");
        NetworkNamespace.Cable(Worker, "lan", Gateway, "lan");
        NetworkNamespace.Cable(Gateway, "mf0", Far, "tunnel");
    }

    void Addresses()
    {
        Add(Pod, "eth0", PodLocal, 24);
        Add(Worker, "pods", At(Local, 2, 1), 24);
        Add(Worker, "lan", At(Local, 9, 2), 24);
        Add(Gateway, "lan", At(Local, 9, 1), 24);
        Add(Gateway, "mf0", At(Outside, 255, 1), 32);
        Add(Far, "tunnel", RemoteHost, 32);
        Route(Pod, Remote, At(Local, 2, 1), "eth0");
        Route(Worker, Remote, At(Local, 9, 1), "lan");
        Route(Gateway, Local, At(Local, 9, 2), "lan");
        Route(Gateway, Remote, null, "mf0");
        Route(Far, Outside, null, "tunnel");
        // A WireGuard device asks nobody for a hardware address, these veth devices would: the same one at both ends, and no asking.
        const string mac = "02:00:00:00:00:01";
        Gateway.Run("ip", "link", "set", "mf0", "address", mac, "arp", "off");
        Far.Run("ip", "link", "set", "tunnel", "address", mac, "arp", "off");
    }

    static void Add(NetworkNamespace host, string device, IPAddress address, int length) =>
        host.Run("ip", "addr", "add", $"{address}/{(address.AddressFamily == AddressFamily.InterNetwork ? length : length == 32 ? 128 : 64)}", "dev", device);

    static void Route(NetworkNamespace host, Cidr to, IPAddress? via, string device) =>
        host.Run(via is null ? ["ip", "route", "add", $"{to}", "dev", device] : ["ip", "route", "add", $"{to}", "via", $"{via}", "dev", device]);

    // The subnet is the third number of an IPv4 address and the fourth group of an IPv6 one.
    static IPAddress At(Cidr prefix, int subnet, int host)
    {
        var bits = prefix.IsIPv4 ? ((UInt128)subnet << 8) | (UInt128)host : ((UInt128)subnet << 64) | (UInt128)host;
        return IPBits.ToAddress(prefix.Bits | bits, prefix.Family);
    }

    // Addresses in the headers only, as nft writes it; what this test is about is missing from it.
    string Translation(bool v4)
    {
        var (ip, mask) = v4 ? ("ip", "0.0.255.255") : ("ip6", "::ffff:ffff:ffff:ffff:ffff:ffff");
        return $$"""
            table inet remap {
              chain pre {
                type filter hook prerouting priority -300
                iifname "mf*" {{ip}} daddr {{Outside}} notrack {{ip}} daddr set {{ip}} daddr & {{mask}} | {{Local.Address}}
                {{ip}} saddr {{Local}} {{ip}} daddr {{Remote}} notrack
              }
              chain post {
                type filter hook postrouting priority 300
                oifname "mf*" {{ip}} saddr {{Local}} {{ip}} saddr set {{ip}} saddr & {{mask}} | {{Outside.Address}}
              }
            }

            """;
    }
}
