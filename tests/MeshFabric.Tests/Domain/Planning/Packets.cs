using System.Net;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Tests.Domain.Planning;

/// <summary>Follows packets through the plans of all gateways, as routes, WireGuard and the nft tables do it.</summary>
static class Packets
{
    /// <summary>All ways that ECMP may take. Empty when the first gateway refuses it; what is lost on the way fails.</summary>
    /// <param name="hasShortcuts">False: no tunnel of a shortcut is alive.</param>
    public static IEnumerable<(string Cluster, string Gateway, IPAddress Source, IPAddress Destination)> Walk(Dictionary<(string, string), GatewayConfig> plans, string cluster, string gateway, IPAddress source, IPAddress destination, bool hasShortcuts = true)
    {
        var first = plans[(cluster, gateway)];
        var translated = Out(first.Firewall, source, destination);
        return Steps(first, translated, destination, 0);

        IEnumerable<(string, string, IPAddress, IPAddress)> Steps(GatewayConfig at, IPAddress from, IPAddress to, int steps)
        {
            Assert.True(steps < 4, "it goes round in circles");
            var route = at.Routes.Where(r => r.Destination.Contains(to) && (hasShortcuts || !r.IsShortcut)).MaxBy(r => r.Destination.Length);
            Assert.NotNull(route);
            if (route.NextHops.Count == 0)
            {
                Assert.Equal(0, steps);
                yield break;
            }

            foreach (var hop in route.NextHops)
            {
                var next = plans[(hop.Cluster, hop.Gateway)];
                // WireGuard asks by whose peer it comes, and the edge whether it is somebody's of the mesh.
                Assert.Contains(next.Devices.SelectMany(d => d.Peers).Single(p => (p.Cluster, p.Gateway) == (at.Cluster, at.Gateway)).AllowedIps, a => a.Contains(from));
                Assert.Contains(next.Firewall.RemotePrefixes, p => p.Contains(from));
                var arrived = In(next.Firewall, to);
                if (next.Firewall.LocalPrefixes.Any(p => p.Contains(arrived)))
                {
                    yield return (next.Cluster, next.Gateway, from, arrived);
                    continue;
                }

                Assert.True(next.Firewall.Transits);
                foreach (var end in Steps(next, from, arrived, steps + 1))
                {
                    yield return end;
                }
            }
        }
    }

    static IPAddress Out(FirewallConfig firewall, IPAddress source, IPAddress destination) =>
        firewall.Translations.FirstOrDefault(t => t.Local.Contains(source) && (t.Destinations.Count == 0 || t.Destinations.Any(d => d.Contains(destination)))) is { } translation
            ? translation.Local.Translate(source, translation.Outside) : source;

    static IPAddress In(FirewallConfig firewall, IPAddress destination) =>
        firewall.Translations.FirstOrDefault(t => t.Outside.Contains(destination)) is { } translation
            ? translation.Outside.Translate(destination, translation.Local) : destination;
}
