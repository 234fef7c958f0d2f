namespace MeshFabric.Agent.Linux;

/// <summary>The few kernel settings a gateway needs: forwarding, flows spread over ECMP by ports, and loose source checks on our own devices only.</summary>
static class LinuxSysctls
{
    public static void PrepareHost()
    {
        Set("net/ipv4/ip_forward", "1");
        Set("net/ipv6/conf/all/forwarding", "1");
        Set("net/ipv4/fib_multipath_hash_policy", "1");
        Set("net/ipv6/fib_multipath_hash_policy", "1");
    }

    // 2 is loose. The effective value is the larger of "all" and the device's, so 0 would not do.
    public static void PrepareDevice(string device) => Set($"net/ipv4/conf/{device}/rp_filter", "2");

    static void Set(string name, string value)
    {
        var path = "/proc/sys/" + name;
        if (File.Exists(path) && File.ReadAllText(path).Trim() != value)
        {
            File.WriteAllText(path, value);
        }
    }
}
