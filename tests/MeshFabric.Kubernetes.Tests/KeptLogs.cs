namespace MeshFabric.Kubernetes.Tests;

/// <summary>A lab goes away with its test; what its programs said is for whoever reads a failure.</summary>
static class KeptLogs
{
    /// <summary>Copies the logs of all hosts and of the API servers to artifacts/test-logs/kubernetes.</summary>
    public static void Of(MeshFabric.Lab.Lab lab)
    {
        var folder = Directory.CreateDirectory(Path.Combine(Repository.Root, "artifacts", "test-logs", "kubernetes")).FullName;
        // Not deeper: below are the disks of nodes.
        foreach (var log in Directory.EnumerateFiles(lab.Directory, "*.log", new EnumerationOptions { RecurseSubdirectories = true, MaxRecursionDepth = 2 }))
        {
            File.Copy(log, Path.Combine(folder, Path.GetRelativePath(lab.Directory, log).Replace('/', '-')), overwrite: true);
        }
    }
}
