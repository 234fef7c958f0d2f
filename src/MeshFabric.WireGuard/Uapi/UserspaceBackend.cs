using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using MeshFabric.Netlink;
using MeshFabric.Netlink.Route;

namespace MeshFabric.WireGuard.Uapi;

/// <summary>Devices of wireguard-go, one process each. The processes outlive this one on purpose: a restart of the agent loses no packet.</summary>
/// <param name="program">Path of wireguard-go.</param>
/// <param name="socketDirectory">Where it puts its control sockets; wireguard-go knows only /var/run/wireguard.</param>
/// <param name="logDirectory">Its output goes to NAME.log there.</param>
/// <param name="namespacePath">Network namespace of the devices, such as /run/netns/NAME; null for this process's own.</param>
public sealed class UserspaceBackend(string program, string socketDirectory, string logDirectory, TimeProvider time, string? namespacePath = null) : IWireGuardBackend
{
    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(15);
    static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(3);
    static readonly TimeSpan Settling = TimeSpan.FromMilliseconds(500);
    static readonly TimeSpan Step = TimeSpan.FromMilliseconds(10);

    readonly ConcurrentDictionary<string, DeviceConfig> _lastWanted = new();

    public string Name => "userspace";

    public async Task<IReadOnlyList<string>> ListAsync(CancellationToken cancellationToken)
    {
        if (!Directory.Exists(socketDirectory))
        {
            return [];
        }

        // Control sockets belong to the mount namespace, devices to the network namespace: others' may lie beside ours.
        using var netlink = RouteNetlink.Open(namespacePath);
        var links = netlink.Links().Select(l => l.Name).ToHashSet(StringComparer.Ordinal);
        var alive = new List<string>();
        foreach (var path in Directory.EnumerateFiles(socketDirectory, "*.sock").Order(StringComparer.Ordinal))
        {
            var device = Path.GetFileNameWithoutExtension(path);
            if (links.Contains(device) && await IsServedAsync(device, cancellationToken))
            {
                alive.Add(device);
            }
        }

        return alive;
    }

    public async Task<bool> EnsureAsync(string device, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var served = await IsServedAsync(device, cancellationToken);
        if (served && HasLink(device))
        {
            return false;
        }

        // Asked again: ours may have answered a moment ago and ended since, because its link was deleted.
        if (served && !IsRunning(device) && await IsServedAsync(device, cancellationToken))
        {
            throw new WireGuardException(WireGuardError.Refused, $"{SocketPath(device)} belongs to a device of another network namespace: give each namespace a {socketDirectory} of its own");
        }

        // wireguard-go's own links are "tun", also while a killed one is still going away.
        if (!served && Link(device) is { Kind: not "tun" } foreign)
        {
            throw new WireGuardException(WireGuardError.Refused, $"a link named {device} exists already, of kind '{foreign.Kind}': delete it, or stop what made it");
        }

        _lastWanted.TryRemove(device, out _);
        // What a dead process left (wireguard-go refuses to start while the file exists), or one that no longer answers.
        DeleteSocket(device);
        await EndProcessAsync(device, TimeSpan.Zero, cancellationToken);
        Directory.CreateDirectory(logDirectory);
        await ServeAsync(device, cancellationToken);
        return true;
    }

    public async Task ConfigureAsync(string device, DeviceConfig wanted, CancellationToken cancellationToken)
    {
        var change = DeviceChange.Between(await ReadAsync(device, cancellationToken), wanted, _lastWanted.GetValueOrDefault(device));
        if (!change.IsEmpty)
        {
            UapiCodec.ParseSet(await UapiSocket.ExchangeAsync(SocketPath(device), device, UapiCodec.FormatSet(change), cancellationToken));
        }

        _lastWanted[device] = wanted;
    }

    public async Task<DeviceState> ReadAsync(string device, CancellationToken cancellationToken) =>
        UapiCodec.ParseGet(device, await UapiSocket.ExchangeAsync(SocketPath(device), device, UapiCodec.Get, cancellationToken));

    public async Task DeleteAsync(string device, CancellationToken cancellationToken)
    {
        _lastWanted.TryRemove(device, out _);
        if (!HasLink(device) && !IsRunning(device) && await IsServedAsync(device, cancellationToken))
        {
            // Another namespace's.
            return;
        }

        // wireguard-go ends when its control socket goes away, and takes its interface along.
        DeleteSocket(device);
        await EndProcessAsync(device, EndLimit, cancellationToken);
    }

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    string SocketPath(string device) => Path.Combine(socketDirectory, device + ".sock");

    // The directory may not exist yet: wireguard-go makes it.
    void DeleteSocket(string device)
    {
        if (File.Exists(SocketPath(device)))
        {
            File.Delete(SocketPath(device));
        }
    }

    bool HasLink(string device) => Link(device) is not null;

    Link? Link(string device)
    {
        using var netlink = RouteNetlink.Open(namespacePath);
        return netlink.FindLink(device);
    }

    bool IsRunning(string device)
    {
        using var process = Process(device);
        return process is not null;
    }

    // Waits for its end; kills it after the limit.
    async Task EndProcessAsync(string device, TimeSpan limit, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (Process(device) is { } process)
        {
            using (process)
            {
                if (time.GetElapsedTime(started) >= limit)
                {
                    process.Kill();
                }
            }

            await Task.Delay(Step, time, cancellationToken);
        }
    }

    async Task<bool> IsServedAsync(string device, CancellationToken cancellationToken)
    {
        if (!File.Exists(SocketPath(device)))
        {
            return false;
        }

        try
        {
            await ReadAsync(device, cancellationToken);
            return true;
        }
        catch (WireGuardException e) when (e.Reason is WireGuardError.NotFound or WireGuardError.Protocol)
        {
            return false;
        }
    }

    // A session of its own and no descriptor of ours: neither our end nor a closed pipe reaches it.
    async Task StartAsync(string device, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("/bin/sh")
        {
            ArgumentList = { "-c", "log=$1; shift; exec setsid -f \"$@\" </dev/null >>\"$log\" 2>&1", "sh", Path.Combine(Path.GetFullPath(logDirectory), device + ".log") },
            UseShellExecute = false,
            WorkingDirectory = "/",
        };
        foreach (var argument in namespacePath is null ? [program, "-f", device] : (string[])["nsenter", $"--net={namespacePath}", program, "-f", device])
        {
            start.ArgumentList.Add(argument);
        }

        start.Environment["LOG_LEVEL"] = "error";
        start.Environment["WG_I_PREFER_BUGGY_USERSPACE_TO_POLISHED_KMOD"] = "1";
        using var shell = System.Diagnostics.Process.Start(start)
            ?? throw new WireGuardException(WireGuardError.Unavailable, $"{program} could not be started");
        await shell.WaitForExitAsync(cancellationToken);
        if (shell.ExitCode != 0)
        {
            throw new WireGuardException(WireGuardError.Unavailable, $"starting {program} for {device} failed with exit code {shell.ExitCode}");
        }
    }

    // The link of one that was killed goes a while after its process, and until then nobody else gets the name: whoever was too early ends, and is started anew.
    async Task ServeAsync(string device, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        long? startedAt = null;
        while (!await IsServedAsync(device, cancellationToken))
        {
            if (time.GetElapsedTime(started) > StartLimit)
            {
                throw new WireGuardException(WireGuardError.Unavailable, $"{program} did not serve {device} within {StartLimit.TotalSeconds} s: {LastLog(device)}");
            }

            var ended = startedAt is { } at && time.GetElapsedTime(at) > Settling && !IsRunning(device);
            if (ended || (startedAt is null && (!HasLink(device) || time.GetElapsedTime(started) > Settling)))
            {
                startedAt = time.GetTimestamp();
                await StartAsync(device, cancellationToken);
            }

            await Task.Delay(Step, time, cancellationToken);
        }
    }

    string LastLog(string device)
    {
        var path = Path.Combine(logDirectory, device + ".log");
        return File.Exists(path) ? File.ReadLines(path).LastOrDefault() ?? "its log is empty" : "it wrote no log";
    }

    // The process whose command line ends in "-f DEVICE" and whose program is ours, in our network namespace.
    Process? Process(string device)
    {
        var name = Path.GetFileName(program);
        foreach (var process in System.Diagnostics.Process.GetProcessesByName(name))
        {
            var arguments = CommandLine(process.Id);
            if (arguments.Length >= 3 && arguments[^1] == device && SameNamespace(process.Id))
            {
                return process;
            }

            process.Dispose();
        }

        return null;
    }

    static string[] CommandLine(int pid)
    {
        try
        {
            return File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/cmdline")).TrimEnd('\0').Split('\0');
        }
        catch (IOException)
        {
            // It ended between the listing and here.
            return [];
        }
    }

    bool SameNamespace(int pid) =>
        new FileInfo(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/ns/net")).LinkTarget == _namespace.Value;

    readonly Lazy<string?> _namespace = new(() => namespacePath is null
        ? new FileInfo("/proc/self/ns/net").LinkTarget
        : NamespaceThread.Run(namespacePath, () => new FileInfo("/proc/thread-self/ns/net").LinkTarget));
}
