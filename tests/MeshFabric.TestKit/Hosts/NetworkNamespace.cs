using System.ComponentModel;
using System.Diagnostics;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshFabric.Netlink;

namespace MeshFabric.TestKit.Hosts;

/// <summary>A network namespace with a unique name: one host of a test. Deleted with its processes when disposed.</summary>
public sealed partial class NetworkNamespace : IDisposable
{
    const int CloseOnExec = 0x80000, Stream = 1, Datagram = 2, InternetV4 = 2, InternetV6 = 10;

    static readonly TimeSpan CommandLimit = TimeSpan.FromSeconds(60);

    public NetworkNamespace(string label = "host")
    {
        Name = $"mft-{label}-{Guid.NewGuid().ToString("n")[..8]}";
        Must(["ip", "netns", "add", Name]);
        Run("ip", "link", "set", "lo", "up");
        // No duplicate address detection: addresses work at once.
        Shell("echo 0 >/proc/sys/net/ipv6/conf/default/accept_dad; echo 0 >/proc/sys/net/ipv6/conf/all/accept_dad");
    }

    public string Name { get; }

    public string Path => $"/run/netns/{Name}";

    /// <summary>Connects two hosts by a pair of veth devices, both up.</summary>
    public static void Cable(NetworkNamespace left, string leftDevice, NetworkNamespace right, string rightDevice)
    {
        Must(["ip", "link", "add", leftDevice, "netns", left.Name, "type", "veth", "peer", "name", rightDevice, "netns", right.Name]);
        left.Run("ip", "link", "set", leftDevice, "up");
        right.Run("ip", "link", "set", rightDevice, "up");
    }

    /// <summary>Runs a program inside; its output.</summary>
    /// <exception cref="InvalidOperationException">It failed; the message has its output.</exception>
    public string Run(params string[] command) => Must(["ip", "netns", "exec", Name, .. command]);

    public string Shell(string script) => Run("sh", "-ec", script);

    /// <summary>Loads an nft script.</summary>
    public void Nft(string script) => Must(["ip", "netns", "exec", Name, "nft", "-f", "-"], script);

    /// <summary>Runs a program inside that may fail.</summary>
    public (int ExitCode, string Output) Try(params string[] command) => Execute(["ip", "netns", "exec", Name, .. command], "");

    public void Forward() => Shell("echo 1 >/proc/sys/net/ipv4/ip_forward; echo 1 >/proc/sys/net/ipv6/conf/all/forwarding; echo 0 >/proc/sys/net/ipv4/conf/all/rp_filter; echo 0 >/proc/sys/net/ipv4/conf/default/rp_filter");

    public Socket Tcp(AddressFamily family) => Open(family, Stream);

    public Socket Udp(AddressFamily family) => Open(family, Datagram);

    // Only the system call is made inside: the socket stays there wherever it is used from, and no thread of the pool is moved.
    Socket Open(AddressFamily family, int type)
    {
        var fd = NamespaceThread.Run(Path, () =>
        {
            var result = SystemSocket(family == AddressFamily.InterNetwork ? InternetV4 : InternetV6, type | CloseOnExec, 0);
            return result >= 0 ? result : throw new Win32Exception(Marshal.GetLastPInvokeError());
        });
        return new Socket(new SafeSocketHandle(fd, ownsHandle: true));
    }

    /// <summary>Process ids of everything that runs inside.</summary>
    public IReadOnlyList<string> Processes() => Execute(["ip", "netns", "pids", Name], "").Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    public void Dispose()
    {
        foreach (var pid in Processes())
        {
            Execute(["kill", "-KILL", pid], "");
        }

        Execute(["ip", "netns", "del", Name], "");
    }

    static string Must(string[] command, string input = "")
    {
        var (code, output) = Execute(command, input);
        return code == 0 ? output : throw new InvalidOperationException($"{string.Join(' ', command)} failed ({code}); root and the packages of deploy/scripts/install-packages.sh gateway lab are needed: {output}");
    }

    static (int ExitCode, string Output) Execute(string[] command, string input)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start) ?? throw new InvalidOperationException($"{command[0]} could not be started");
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEndAsync();
        if (!process.WaitForExit(CommandLimit))
        {
            process.Kill(entireProcessTree: true);
            throw new InvalidOperationException($"{string.Join(' ', command)} did not end within {CommandLimit.TotalSeconds} s");
        }

        return (process.ExitCode, output.Result + error.Result);
    }

    [LibraryImport("libc", EntryPoint = "socket", SetLastError = true)]
    private static partial int SystemSocket(int domain, int type, int protocol);
}
