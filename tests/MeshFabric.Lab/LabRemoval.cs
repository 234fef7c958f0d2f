using System.Globalization;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Processes;
using MeshFabric.TestKit;

namespace MeshFabric.Lab;

/// <summary>Ends and removes all that belongs to a lab, even when it was left half built.</summary>
static class LabRemoval
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    public static async Task RunAsync(LabSpec spec, CancellationToken cancellationToken)
    {
        await EndRecordedAsync(spec, cancellationToken);
        var namespaces = await NamespacesAsync(spec, cancellationToken);
        await Until.TrueAsync(() => KillInsideAsync(namespaces, cancellationToken), Limit, $"the processes of the lab {spec.Name} to end", cancellationToken);
        if (namespaces.Count > 0)
        {
            var batch = string.Concat(namespaces.Select(n => $"netns del {n}\n"));
            (await Command.RunAsync(["ip", "-batch", "-"], batch, cancellationToken)).Checked("removing the lab's namespaces");
        }

        var hosts = Path.Combine(spec.Directory, "hosts");
        foreach (var host in Directory.Exists(hosts) ? Directory.GetDirectories(hosts) : [])
        {
            await NodeCgroups.RemoveAsync(host, cancellationToken);
        }

        if (Directory.Exists(spec.Directory))
        {
            Directory.Delete(spec.Directory, recursive: true);
        }

        if (Directory.Exists(LabSpec.Root) && !Directory.EnumerateFileSystemEntries(LabSpec.Root).Any())
        {
            Directory.Delete(LabSpec.Root);
        }
    }

    // Programs of the lab that run outside its namespaces, such as the relay to the API, are known by their pid files only.
    static async Task EndRecordedAsync(LabSpec spec, CancellationToken cancellationToken)
    {
        if (!Directory.Exists(spec.Directory))
        {
            return;
        }

        // Not deeper: below are the disks of nodes, whose files come and go.
        foreach (var pidFile in Directory.EnumerateFiles(spec.Directory, "*.pid", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }))
        {
            var process = new LabProcess(Path.GetFileNameWithoutExtension(pidFile), pidFile, "");
            await process.StopAsync("KILL", cancellationToken);
        }
    }

    static async Task<List<string>> NamespacesAsync(LabSpec spec, CancellationToken cancellationToken)
    {
        // Exact names, so that a lab "a" never takes the namespaces of a lab "a-b".
        var ours = new Topology.LabTopology(spec).Hosts.Select(h => h.Namespace).ToHashSet(StringComparer.Ordinal);
        var list = (await Command.RunAsync(["ip", "netns", "list"], null, cancellationToken)).Checked("listing namespaces").Output;
        return [.. list.Split('\n').Select(l => l.Split(' ')[0]).Where(ours.Contains)];
    }

    static async Task<bool> KillInsideAsync(List<string> namespaces, CancellationToken cancellationToken)
    {
        var pids = new HashSet<string>(StringComparer.Ordinal);
        foreach (var name in namespaces)
        {
            // A half-built namespace has a file but answers with an error; it holds no process.
            pids.UnionWith((await Command.RunAsync(["ip", "netns", "pids", name], null, cancellationToken)).Output.Split('\n', StringSplitOptions.RemoveEmptyEntries));
        }

        pids.Remove(Environment.ProcessId.ToString(CultureInfo.InvariantCulture));
        if (pids.Count > 0)
        {
            // One that ends meanwhile makes kill complain; the next round tells.
            await Command.RunAsync(["kill", "-KILL", .. pids], null, cancellationToken);
        }

        return pids.Count == 0;
    }
}
