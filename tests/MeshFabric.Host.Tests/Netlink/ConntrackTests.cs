using System.Net;
using MeshFabric.Netlink.Conntrack;
using MeshFabric.TestKit.Hosts;

namespace MeshFabric.Host.Tests.Netlink;

public sealed class ConntrackTests
{
    [Theory]
    [InlineData("192.0.2.1", "192.0.2.2", "192.0.2.9")]
    [InlineData("fd99::1", "fd99::2", "fd99::9")]
    public void A_flow_whose_source_is_translated_is_read_and_forgotten_and_others_stay(string here, string there, string shown)
    {
        using var host = new NetworkNamespace();
        var bits = here.Contains(':', StringComparison.Ordinal) ? 64 : 24;
        var family = bits == 64 ? "ip6" : "ip";
        host.Shell($"""
            ip link set lo up; ip link add v0 type veth peer name v1; ip addr add {here}/{bits} dev v0 {(bits == 64 ? "nodad" : "")}; ip link set v0 up; ip link set v1 up
            ip neigh add {there} lladdr 02:00:00:00:00:02 dev v0
            nft -f - <<N
            table inet t {"{"}
              chain post {"{"}
                type nat hook postrouting priority 100; policy accept;
                {family} daddr {there} snat to {shown}
              {"}"}
            {"}"}
            N
            bash -c 'echo x >/dev/udp/{there}/9; echo x >/dev/udp/{here}/9' || true
            """);
        var flows = new List<TrackedFlow>();
        Assert.Equal(0, ConntrackTable.Forget(f => { flows.Add(f); return false; }, host.Path));
        Assert.Contains(new TrackedFlow(IPAddress.Parse(here), IPAddress.Parse(there), IPAddress.Parse(there), IPAddress.Parse(shown)), flows);

        Assert.Equal(1, ConntrackTable.Forget(f => f.Destination.Equals(IPAddress.Parse(there)), host.Path));
        Assert.Equal(0, ConntrackTable.Forget(f => f.Destination.Equals(IPAddress.Parse(there)), host.Path));
        Assert.Equal(1, ConntrackTable.Forget(f => f.Destination.Equals(IPAddress.Parse(here)), host.Path));
    }
}
