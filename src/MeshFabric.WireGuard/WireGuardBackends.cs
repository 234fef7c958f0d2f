using MeshFabric.Netlink;
using MeshFabric.WireGuard.Linux;
using MeshFabric.WireGuard.Uapi;

namespace MeshFabric.WireGuard;

/// <summary>Which implementation to use.</summary>
public enum BackendChoice
{
    /// <summary>The kernel's where it has one, else userspace.</summary>
    Auto,
    Kernel,
    Userspace,
}

/// <param name="LogDirectory">Where userspace processes log.</param>
/// <param name="SocketDirectory">Where userspace processes have their control sockets.</param>
/// <param name="NamespacePath">Network namespace of the devices, such as /run/netns/NAME; null for this process's own.</param>
public sealed record BackendOptions(string LogDirectory, string SocketDirectory = "/var/run/wireguard", string? NamespacePath = null);

public static class WireGuardBackends
{
    const string Program = "wireguard-go";

    /// <summary>Opens the chosen implementation; <see cref="IWireGuardBackend.Name"/> says which it became.</summary>
    /// <exception cref="WireGuardException">Unavailable; the message says what to install.</exception>
    public static IWireGuardBackend Open(BackendChoice choice, BackendOptions options, TimeProvider time)
    {
        if (choice != BackendChoice.Userspace && TryKernel(options.NamespacePath) is { } kernel)
        {
            return kernel;
        }

        if (choice == BackendChoice.Kernel)
        {
            throw new WireGuardException(WireGuardError.Unavailable, "this kernel has no WireGuard: load the module (modprobe wireguard, Linux 5.6 or newer), or run with --wireguard userspace");
        }

        return FindProgram() is { } program
            ? new UserspaceBackend(program, options.SocketDirectory, options.LogDirectory, time, options.NamespacePath)
            : throw new WireGuardException(WireGuardError.Unavailable, "neither the kernel's WireGuard nor wireguard-go is available: load the kernel module (modprobe wireguard), or install wireguard-go 0.0.20230223 or newer (Debian: apt-get install -t bookworm-backports wireguard-go)");
    }

    static KernelBackend? TryKernel(string? namespacePath)
    {
        try
        {
            return KernelBackend.TryOpen(namespacePath);
        }
        catch (NetlinkException e) when (e.IsDenied)
        {
            throw new WireGuardException(WireGuardError.Denied, "configuring WireGuard needs CAP_NET_ADMIN: run as root", e);
        }
        catch (NetlinkException e)
        {
            throw new WireGuardException(WireGuardError.Unavailable, e.Message, e);
        }
    }

    static string? FindProgram() => (Environment.GetEnvironmentVariable("PATH") ?? "/usr/sbin:/usr/bin:/sbin:/bin")
        .Split(':', StringSplitOptions.RemoveEmptyEntries)
        .Select(d => Path.Combine(d, Program))
        .FirstOrDefault(File.Exists);
}
