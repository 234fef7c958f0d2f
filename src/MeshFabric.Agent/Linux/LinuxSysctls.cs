using System.Globalization;
using System.Text.Json;
using MeshFabric.Agent.Ports;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Agent.Linux;

/// <summary>Forwarding, flows spread over ECMP by ports, and loose source checks on our own devices only.</summary>
/// <param name="state">Where the values from before are kept.</param>
/// <param name="root">Where the settings are; another folder in tests.</param>
/// <param name="routes6">The kernel's IPv6 routes, as it prints them.</param>
public sealed class LinuxSysctls(AgentStateDirectory state, string root = "/proc/sys", string routes6 = "/proc/net/ipv6_route") : IHostSettings
{
    static readonly string[] Spread = ["net/ipv4/fib_multipath_hash_policy", "net/ipv6/fib_multipath_hash_policy"];
    const string Forwarding = "net/ipv4/ip_forward", Forwarding6 = "net/ipv6/conf/all/forwarding";
    const string Devices6 = "net/ipv6/conf", Advertisements = "accept_ra";
    const string Wanted = "1";

    // A router takes no routes from others (RFC 4861, 6.2.1): where the kernel does, with 1, it throws them away at once, with the default route of a host that has it from there.
    // With 2 it keeps them (Documentation/networking/ip-sysctl.rst). Only where such a route is: a pod must not become a router by saying that it is one.
    const string HostsOnly = "1", RoutersToo = "2";

    // RTF_DEFAULT and RTF_ADDRCONF (linux/ipv6_route.h): a default route that was advertised.
    const uint AdvertisedDefault = 0x0005_0000;

    // On a Kubernetes node two loops prepare the same host.
    readonly Lock _lock = new();

    string File => Path.Combine(state.Directory, "sysctls.json");

    public void Prepare(bool forwards, bool forwards6)
    {
        lock (_lock)
        {
            foreach (var name in Spread)
            {
                Set(name, Wanted);
            }

            if (forwards)
            {
                Set(Forwarding, Wanted);
            }

            if (forwards6)
            {
                // After a reboot the first advertisement may still be to come: what listened to routers before does so again. Where forwarding is on already there is no such route but those.
                var listening = Remembered().Keys.Where(n => n.EndsWith(Advertisements, StringComparison.Ordinal)).Concat(Read(Forwarding6) == Wanted ? [] : Advertised()).Distinct();
                foreach (var name in listening.Where(n => Read(n) == HostsOnly).ToList())
                {
                    Set(name, RoutersToo);
                }

                Set(Forwarding6, Wanted);
            }
        }
    }

    // A line: destination, length, source, length, next hop, metric, references, use, flags, device; all but the last in hexadecimal.
    IEnumerable<string> Advertised() => !System.IO.File.Exists(routes6) ? [] : System.IO.File.ReadAllLines(routes6)
        .Select(l => l.Split(' ', StringSplitOptions.RemoveEmptyEntries))
        .Where(l => l.Length == 10 && uint.TryParse(l[8], NumberStyles.HexNumber, CultureInfo.InvariantCulture, out var flags) && (flags & AdvertisedDefault) == AdvertisedDefault)
        .Select(l => $"{Devices6}/{l[9]}/{Advertisements}")
        .Distinct(StringComparer.Ordinal);

    void Set(string name, string wanted)
    {
        if (Read(name) is { } value && value != wanted)
        {
            Remember(name, value);
            Write(name, wanted);
        }
    }

    public void Restore()
    {
        foreach (var (name, before) in Remembered())
        {
            // What somebody else changed since is his.
            if (Read(name) == (name.EndsWith(Advertisements, StringComparison.Ordinal) ? RoutersToo : Wanted))
            {
                Write(name, before);
            }
        }

        // Without anything to put back the directory itself may not be there.
        if (System.IO.File.Exists(File))
        {
            System.IO.File.Delete(File);
        }
    }

    /// <summary>2 is loose. The effective value is the larger of "all" and the device's, so 0 would not do. It goes with the device.</summary>
    public static void PrepareDevice(string device)
    {
        var path = $"/proc/sys/net/ipv4/conf/{device}/rp_filter";
        if (System.IO.File.Exists(path) && System.IO.File.ReadAllText(path).Trim() != "2")
        {
            System.IO.File.WriteAllText(path, "2");
        }
    }

    // Written before the change: a crash between the two must not lose what was there.
    void Remember(string name, string value)
    {
        var all = Remembered();
        if (all.TryAdd(name, value))
        {
            state.Write(File, JsonSerializer.Serialize(all, MeshJson.Options));
        }
    }

    Dictionary<string, string> Remembered()
    {
        try
        {
            return System.IO.File.Exists(File) ? JsonSerializer.Deserialize<Dictionary<string, string>>(System.IO.File.ReadAllText(File)) ?? [] : [];
        }
        catch (JsonException)
        {
            // Nothing to put back is better than something made up.
            return [];
        }
    }

    string? Read(string name)
    {
        var path = Path.Combine(root, name);
        return System.IO.File.Exists(path) ? System.IO.File.ReadAllText(path).Trim() : null;
    }

    void Write(string name, string value) => System.IO.File.WriteAllText(Path.Combine(root, name), value);
}
