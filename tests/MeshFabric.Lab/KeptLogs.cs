namespace MeshFabric.Lab;

/// <summary>A lab goes away with its test; what its programs and pods said is for whoever reads a failure.</summary>
public static class KeptLogs
{
    /// <summary>Copies the logs of all hosts, of the API servers and of every node's pods.</summary>
    /// <param name="repository">They go to artifacts/test-logs/SUITE/LAB below it.</param>
    public static void Of(Lab lab, string repository, string suite)
    {
        // Without the number of this run, so that the next one replaces them.
        var folder = Path.Combine(repository, "artifacts", "test-logs", suite, lab.Spec.Name.TrimEnd("0123456789".ToCharArray()));
        if (Directory.Exists(folder))
        {
            Directory.Delete(folder, recursive: true);
        }

        Directory.CreateDirectory(folder);
        // Not deeper: below are the disks of nodes.
        Keep(lab.Directory, depth: 2, folder, prefix: "");
        foreach (var host in Directory.EnumerateDirectories(Path.Combine(lab.Directory, "hosts")))
        {
            // NAMESPACE_POD_UID/CONTAINER/RESTART.log
            var pods = Path.Combine(host, "disk", "log", "pods");
            if (Directory.Exists(pods))
            {
                Keep(pods, depth: 2, folder, prefix: $"pods-{Path.GetFileName(host)}-");
            }
        }
    }

    static void Keep(string from, int depth, string to, string prefix)
    {
        foreach (var log in Directory.EnumerateFiles(from, "*.log", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = depth }))
        {
            File.Copy(log, Path.Combine(to, prefix + Path.GetRelativePath(from, log).Replace('/', '-')), overwrite: true);
        }
    }
}
