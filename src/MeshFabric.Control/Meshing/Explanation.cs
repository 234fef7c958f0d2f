using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Control.Meshing;

/// <summary>What a gateway should run against what it was read back to run, in sentences.</summary>
public static class Explanation
{
    public static IReadOnlyList<string> Differences(GatewayConfig wanted, GatewayActual actual)
    {
        var differences = new List<string>();
        var devices = actual.Devices.ToDictionary(d => d.Name);
        foreach (var device in wanted.Devices)
        {
            if (!devices.Remove(device.Name, out var seen))
            {
                differences.Add($"Device {device.Name} is missing.");
                continue;
            }

            if (seen.ListenPort != device.ListenPort)
            {
                differences.Add($"Device {device.Name} listens on UDP port {seen.ListenPort}, not {device.ListenPort}.");
            }

            Peers(device, seen, differences);
        }

        differences.AddRange(devices.Keys.Order(StringComparer.Ordinal).Select(name => $"Device {name} should not be there."));
        Routes(wanted, actual, differences);
        if (!actual.FirewallInPlace)
        {
            differences.Add("The nftables rules are not in place.");
        }

        return differences;
    }

    static void Peers(TunnelDevice device, ActualDevice seen, List<string> differences)
    {
        var peers = seen.Peers.ToDictionary(p => p.PublicKey);
        foreach (var peer in device.Peers)
        {
            if (!peers.Remove(peer.PublicKey, out var found))
            {
                differences.Add($"Device {device.Name} lacks its peer {peer.Cluster}/{peer.Gateway}.");
                continue;
            }

            Sets(peer.AllowedIps, found.AllowedIps, out var missing, out var extra);
            if (missing.Count + extra.Count > 0)
            {
                differences.Add($"Peer {peer.Cluster}/{peer.Gateway} of {device.Name}: allowed addresses lack [{string.Join(", ", missing)}] and have [{string.Join(", ", extra)}] too many.");
            }
        }

        differences.AddRange(peers.Keys.Order().Select(key => $"Device {device.Name} has a peer {key} that should not be there."));
    }

    static void Routes(GatewayConfig wanted, GatewayActual actual, List<string> differences)
    {
        // What the topology has no way to is refused, and is no route.
        var routes = wanted.Routes.Where(r => r.NextHops.Count > 0).ToList();
        Sets(routes.Select(r => r.Destination), actual.Routes.Select(r => r.Destination), out var missing, out var extra);
        // Without it a wider route carries, as it is meant to while the tunnel is dead.
        missing.RemoveAll(m => routes.Exists(r => r.Destination == m && r.IsShortcut));
        differences.AddRange(missing.Select(m => $"The route to {m} is missing."));
        differences.AddRange(extra.Select(e => $"The route to {e} should not be there."));
        var seen = actual.Routes.DistinctBy(r => r.Destination).ToDictionary(r => r.Destination);
        foreach (var route in routes.Where(r => seen.ContainsKey(r.Destination)))
        {
            // A plane whose tunnel is down is left out on purpose: only devices that cannot carry the route are wrong.
            var wrong = seen[route.Destination].Devices.Except(route.Ways.Select(h => h.Device)).ToList();
            if (wrong.Count > 0)
            {
                differences.Add($"The route to {route.Destination} goes by {string.Join(", ", wrong)}, which cannot carry it.");
            }
        }
    }

    static void Sets(IEnumerable<Cidr> wanted, IEnumerable<Cidr> actual, out List<Cidr> missing, out List<Cidr> extra)
    {
        var want = wanted.ToHashSet();
        var have = actual.ToHashSet();
        missing = want.Except(have).Order().ToList();
        extra = have.Except(want).Order().ToList();
    }
}
