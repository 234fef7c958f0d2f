using System.Text.Json;
using MeshFabric.Agent.Ports;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Agent.Linux;

/// <summary>Forwarding, flows spread over ECMP by ports, and loose source checks on our own devices only.</summary>
/// <param name="state">Where the values from before are kept.</param>
/// <param name="root">Where the settings are; another folder in tests.</param>
public sealed class LinuxSysctls(AgentStateDirectory state, string root = "/proc/sys") : IHostSettings
{
    static readonly string[] Spread = ["net/ipv4/fib_multipath_hash_policy", "net/ipv6/fib_multipath_hash_policy"];
    static readonly string[] Forwarding = ["net/ipv4/ip_forward", "net/ipv6/conf/all/forwarding"];
    const string Wanted = "1";

    // On a Kubernetes node two loops prepare the same host.
    readonly Lock _lock = new();

    string File => Path.Combine(state.Directory, "sysctls.json");

    public void Prepare(bool forwards)
    {
        lock (_lock)
        {
            foreach (var name in forwards ? Spread.Concat(Forwarding) : Spread)
            {
                if (Read(name) is { } value && value != Wanted)
                {
                    Remember(name, value);
                    Write(name, Wanted);
                }
            }
        }
    }

    public void Restore()
    {
        foreach (var (name, before) in Remembered())
        {
            if (Read(name) == Wanted)
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
