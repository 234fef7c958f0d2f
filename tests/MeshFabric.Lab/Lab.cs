using System.Text.Json;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.TestKit;

namespace MeshFabric.Lab;

/// <summary>Clusters as network namespaces of this machine, joined by an internet of their own. Nothing in the machine's own namespace is touched.</summary>
/// <remarks>
/// A lab outlives the program that made it: <see cref="Attach"/> finds it by name. Its files are in one directory; <see cref="DeleteAsync"/> leaves no trace.
/// Disposing deletes.
/// </remarks>
public sealed class Lab : IAsyncDisposable
{
    const string SpecFile = "spec.json";
    static readonly JsonSerializerOptions Json = new() { WriteIndented = true };

    Lab(LabSpec spec) => Topology = new LabTopology(spec);

    public LabTopology Topology { get; }

    public LabSpec Spec => Topology.Spec;

    public string Directory => Spec.Directory;

    /// <summary>A script that runs its arguments in a host, as <c>ssh</c> would: <c>DIRECTORY/on HOST COMMAND...</c>.</summary>
    public string OnScript => Path.Combine(Directory, "on");

    /// <summary>Builds the lab; what a lab of this name has left is removed first.</summary>
    /// <param name="programs">A directory put before the path of every command in a host; null for none.</param>
    /// <exception cref="LabException">Not root, a tool is missing, or the kernel refused; the message says what to do.</exception>
    public static async Task<Lab> CreateAsync(LabSpec spec, string? programs, CancellationToken cancellationToken)
    {
        var lab = new Lab(spec);
        if (!Environment.IsPrivilegedProcess)
        {
            throw new LabException("a lab makes network namespaces, which needs root");
        }

        Require("lab", "ip", "nft", "mount", "setsid");
        if (spec.Clusters.Any(c => c.Cni is not null))
        {
            Require("cni", "ipset", "iptables-nft-restore", "bridge", "host-local");
        }

        await lab.DeleteAsync(cancellationToken);
        System.IO.Directory.CreateDirectory(lab.Directory);
        await File.WriteAllTextAsync(Path.Combine(lab.Directory, SpecFile), JsonSerializer.Serialize(spec, Json), cancellationToken);
        await File.WriteAllTextAsync(lab.OnScript, HostScript.Text(spec, programs), cancellationToken);
        (await Command.RunAsync(["chmod", "755", lab.Directory, lab.OnScript], null, cancellationToken)).Checked("preparing the lab's directory");
        try
        {
            var network = NetworkBuilder.Script(lab.Topology);
            await File.WriteAllTextAsync(Path.Combine(lab.Directory, "network.sh"), network, cancellationToken);
            (await Command.RunAsync(["sh", Path.Combine(lab.Directory, "network.sh")], null, cancellationToken)).Checked("building the lab's network");
        }
        catch
        {
            await lab.DeleteAsync(CancellationToken.None);
            throw;
        }

        return lab;
    }

    static void Require(string group, params string[] tools)
    {
        foreach (var tool in tools)
        {
            if (!new[] { "/usr/sbin", "/usr/bin", "/sbin", "/bin", "/usr/lib/cni" }.Any(d => File.Exists(Path.Combine(d, tool))))
            {
                throw new LabException($"{tool} is missing: run deploy/scripts/install-packages.sh {group}");
            }
        }
    }

    /// <summary>The lab of this name, made by whatever program; null when there is none.</summary>
    public static Lab? Attach(string name)
    {
        var file = Path.Combine(LabSpec.Root, name, SpecFile);
        return File.Exists(file) ? new Lab(JsonSerializer.Deserialize<LabSpec>(File.ReadAllText(file))!) : null;
    }

    /// <summary>Runs a command in a host to its end.</summary>
    public Task<CommandResult> ExecAsync(string host, IReadOnlyList<string> words, CancellationToken cancellationToken, string? input = null) =>
        Command.RunAsync([OnScript, Topology[host].Name, .. words], input, cancellationToken);

    /// <summary>As <see cref="ExecAsync"/>, by a shell in the host.</summary>
    /// <returns>What it printed.</returns>
    /// <exception cref="LabException">It failed.</exception>
    public async Task<string> ShellAsync(string host, string script, CancellationToken cancellationToken) =>
        (await ExecAsync(host, ["sh", "-ec", script], cancellationToken)).Checked($"'{script}' in {host}").Output;

    /// <summary>Commands in a host find the programs of another directory from now on; what runs there goes on as it is.</summary>
    /// <param name="programs">As of <see cref="CreateAsync"/>.</param>
    public void UsePrograms(string host, string programs)
    {
        System.IO.Directory.CreateDirectory(HostDirectory(host));
        File.WriteAllText(Path.Combine(HostDirectory(host), "programs"), programs + "\n");
    }

    /// <summary>A program's handle in a host, running or not.</summary>
    public LabProcess Process(string host, string name) =>
        new($"{name} in {host}", Path.Combine(HostDirectory(host), name + ".pid"), Path.Combine(HostDirectory(host), name + ".log"));

    /// <summary>Machines spread flows each by a secret of its own. The hosts of a lab have one kernel, and so one secret, by which whatever took the first gateway here would take the first one there: two of the four ways.</summary>
    public async Task HashApartAsync(CancellationToken cancellationToken)
    {
        var seed = 0;
        foreach (var host in Topology.Hosts.Where(h => h.Role is HostRole.Gateway or HostRole.Worker))
        {
            await ShellAsync(host.Name, $"f=/proc/sys/net/ipv4/fib_multipath_hash_seed; [ ! -e $f ] || echo {++seed} >$f", cancellationToken);
        }
    }

    /// <summary>Starts a program in a host unless it runs; it outlives us, with its output in the host's directory.</summary>
    public async Task<LabProcess> StartAsync(string host, string name, IReadOnlyList<string> words, CancellationToken cancellationToken)
    {
        var process = Process(host, name);
        if (process.Pid is null)
        {
            System.IO.Directory.CreateDirectory(HostDirectory(host));
            File.Delete(process.PidFile);
            var result = await Command.RunAsync([OnScript, "--detach", process.PidFile, process.LogFile, Topology[host].Name, .. words], null, cancellationToken);
            result.Checked($"starting {process.Name}");
            await Until.TrueAsync(() => File.Exists(process.PidFile), TimeSpan.FromSeconds(30), $"{process.Name} to start", cancellationToken);
        }

        return process;
    }

    /// <summary>Starts a program of the lab in this machine's own namespace; it ends with the lab.</summary>
    public async Task<LabProcess> StartOutsideAsync(string name, IReadOnlyList<string> words, CancellationToken cancellationToken)
    {
        var process = new LabProcess(name, Path.Combine(Directory, name + ".pid"), Path.Combine(Directory, name + ".log"));
        // The pid is the program's own, for sh becomes it; none of our streams is kept, or a reader of our output would wait for it.
        const string script = """log=$1 pidfile=$2; shift 2; echo "$$ $(sed "s/.*) //" /proc/$$/stat | cut -d" " -f20)" >"$pidfile.new"; mv "$pidfile.new" "$pidfile"; exec "$@" >>"$log" 2>&1 </dev/null""";
        File.Delete(process.PidFile);
        (await Command.RunAsync(["setsid", "--fork", "sh", "-c", $"exec >/dev/null 2>&1 </dev/null; {script}", "sh", process.LogFile, process.PidFile, .. words], null, cancellationToken)).Checked($"starting {name}");
        await Until.TrueAsync(() => File.Exists(process.PidFile), TimeSpan.FromSeconds(30), $"{name} to start", cancellationToken);
        return process;
    }

    /// <summary>Ends every process in the lab, then removes its namespaces and files. Does nothing when there is no such lab.</summary>
    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        await LabRemoval.RunAsync(Spec, cancellationToken);
    }

    public async ValueTask DisposeAsync() => await DeleteAsync(CancellationToken.None);

    /// <summary>Files of one host: its programs' logs and pids, and what it sees as its own /run and /var/lib/meshfabric.</summary>
    public string HostDirectory(string host) => Path.Combine(Directory, "hosts", Topology[host].Name);
}
