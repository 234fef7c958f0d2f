namespace MeshFabric.Agent.Linux;

/// <summary>Whether IPv6 may be used: hosts without it, or with <c>disable_ipv6</c>, are in the mesh by IPv4 alone.</summary>
static class LinuxIPv6
{
    /// <summary>On one device; the kernel refuses addresses and routes where it is off (EACCES).</summary>
    public static bool IsOn(string device)
    {
        try
        {
            return File.ReadAllText($"/proc/sys/net/ipv6/conf/{device}/disable_ipv6").Trim() == "0";
        }
        catch (IOException)
        {
            // No such device, or a kernel without IPv6.
            return false;
        }
    }

    public static bool IsOnAtAll => IsOn("all");
}
