using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.Netlink;

namespace MeshFabric.Lab.Traffic;

/// <summary>Sockets of this process that belong to a host of the lab.</summary>
static partial class NamespaceSocket
{
    const int CloseOnExec = 0x80000;

    /// <remarks>Only the system call is made inside the namespace; the socket stays there wherever it is used from.</remarks>
    public static Socket Open(LabHost host, AddressFamily family, SocketType type, ProtocolType protocol = ProtocolType.Unspecified)
    {
        // The framework's numbers of types and of these protocols are the kernel's (socket(2)).
        var domain = family == AddressFamily.InterNetwork ? 2 : 10;
        var fd = NamespaceThread.Run(host.NamespacePath, () => SystemSocket(domain, (int)type | CloseOnExec, Math.Max(0, (int)protocol)));
        return fd >= 0 ? new Socket(new SafeSocketHandle(fd, ownsHandle: true)) : throw new LabException($"no socket in {host.Name}");
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int SystemSocket(int domain, int type, int protocol);
}
