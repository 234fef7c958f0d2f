using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Lab;

/// <summary><c>mflab</c>: labs from the command line.</summary>
static class LabProgram
{
    const string Usage = """
        mflab up NAME [PROGRAMS]      a lab of three clusters, with a server in every pod; PROGRAMS is put on every host's path
        mflab list                    the labs of this machine
        mflab hosts NAME              the hosts of a lab and their addresses
        mflab exec NAME HOST [CMD]... runs a command in a host (default: a shell)
        mflab down NAME               removes a lab, every trace of it

        """;

    public static async Task<int> RunAsync(string[] args)
    {
        using var stop = new CancellationTokenSource();
        Console.CancelKeyPress += (_, e) =>
        {
            e.Cancel = true;
            stop.Cancel();
        };
        try
        {
            return args switch
            {
                ["up", var name, .. var rest] => await UpAsync(name, rest.FirstOrDefault(), stop.Token),
                ["list"] => List(),
                ["hosts", var name] => Hosts(Existing(name)),
                ["exec", var name, var host, .. var words] => Exec(Existing(name), host, words),
                ["serve", var name] => await ServeAsync(Existing(name), stop.Token),
                ["down", var name] => await DownAsync(name, stop.Token),
                _ => Fail(Usage),
            };
        }
        catch (Exception e) when (e is LabException or ArgumentException or KeyNotFoundException)
        {
            return Fail("mflab: " + e.Message);
        }
    }

    /// <summary>Three clusters of two gateways; the last two use the same CIDR inside.</summary>
    public static LabSpec ThreeClusters(string name) => new(
        name,
        [
            new ClusterSpec("aurora", "10.10.0.0/16") { PodCidr6 = "fd10:10::/48", Provider = "aws", Region = "eu-west-1" },
            new ClusterSpec("borealis", "10.20.0.0/16") { PodCidr6 = "fd10:20::/48", Provider = "gcp", Region = "europe-north1" },
            new ClusterSpec("cirrus", "10.20.0.0/16") { PodCidr6 = "fd10:20::/48", Provider = "on-premises", Region = "berlin" },
        ]);

    static async Task<int> UpAsync(string name, string? programs, CancellationToken cancellationToken)
    {
        var started = TimeProvider.System.GetTimestamp();
        var lab = await Lab.CreateAsync(ThreeClusters(name), programs is null ? null : Path.GetFullPath(programs), cancellationToken);
        await lab.StartAsync("inet", "serve", [Environment.ProcessPath!, "serve", name], cancellationToken);
        Console.WriteLine($"lab {name}: {lab.Topology.Hosts.Count} hosts in {TimeProvider.System.GetElapsedTime(started).TotalSeconds:0.0} s");
        Console.WriteLine($"run a command in one:  {lab.OnScript} aurora-gw1 ip route");
        return 0;
    }

    static int List()
    {
        foreach (var directory in Directory.Exists(LabSpec.Root) ? Directory.GetDirectories(LabSpec.Root).Order(StringComparer.Ordinal) : Enumerable.Empty<string>())
        {
            Console.WriteLine(Path.GetFileName(directory));
        }

        return 0;
    }

    static int Hosts(Lab lab)
    {
        foreach (var host in lab.Topology.Hosts.Where(h => h.Role != HostRole.Switch))
        {
            Console.WriteLine($"{host.Name,-24} {host.Role.ToString().ToLowerInvariant(),-10} {host.Address,-18} {host.Address6}".TrimEnd());
        }

        return 0;
    }

    // The command takes our terminal as it is; nothing is captured.
    static int Exec(Lab lab, string host, string[] words)
    {
        using var process = System.Diagnostics.Process.Start(lab.OnScript, [lab.Topology[host].Name, .. words]);
        process.WaitForExit();
        return process.ExitCode;
    }

    static async Task<int> ServeAsync(Lab lab, CancellationToken cancellationToken)
    {
        await using var servers = PodServers.Start(lab.Topology);
        try
        {
            await Task.Delay(Timeout.Infinite, cancellationToken);
        }
        catch (OperationCanceledException)
        {
            // Asked to end.
        }

        return 0;
    }

    static async Task<int> DownAsync(string name, CancellationToken cancellationToken)
    {
        if (Lab.Attach(name) is { } lab)
        {
            await lab.DeleteAsync(cancellationToken);
        }

        return 0;
    }

    static Lab Existing(string name) => Lab.Attach(name) ?? throw new LabException($"there is no lab '{name}' (mflab list)");

    static int Fail(string message)
    {
        Console.Error.WriteLine(message);
        return 2;
    }
}
