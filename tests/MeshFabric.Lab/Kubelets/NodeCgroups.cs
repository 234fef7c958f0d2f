using MeshFabric.TestKit;

namespace MeshFabric.Lab.Kubelets;

/// <summary>The cgroups that a node made for itself; they do not go away with its processes.</summary>
static class NodeCgroups
{
    /// <param name="directory">The node's; its file <c>cgroups</c> lists one cgroup of each hierarchy.</param>
    public static async Task RemoveAsync(string directory, CancellationToken cancellationToken)
    {
        var list = Path.Combine(directory, "cgroups");
        if (!File.Exists(list))
        {
            return;
        }

        var groups = await File.ReadAllLinesAsync(list, cancellationToken);
        // A killed process is in its cgroup until its parent has taken notice.
        await Until.TrueAsync(() => groups.All(Remove), TimeSpan.FromSeconds(30), $"the cgroups of {Path.GetFileName(directory)} to be empty", cancellationToken);
        File.Delete(list);
    }

    static bool Remove(string group)
    {
        try
        {
            foreach (var below in Directory.Exists(group) ? Directory.GetDirectories(group) : [])
            {
                if (!Remove(below))
                {
                    return false;
                }
            }

            // Not recursive: its files cannot be deleted and need not be.
            if (Directory.Exists(group))
            {
                Directory.Delete(group);
            }

            return true;
        }
        catch (IOException)
        {
            return false;
        }
    }
}
