using System.Net;
using System.Text.Json;
using k8s;
using k8s.Autorest;

namespace MeshFabric.Cli.Installing;

/// <summary>The IPPools that agents make where there is Calico. Agents that leave delete them; this is for what an agent that did not answer has left.</summary>
static class MeshPools
{
    const string Group = "crd.projectcalico.org";
    const string Version = "v1";
    const string Plural = "ippools";
    const string Ours = "app.kubernetes.io/managed-by=meshfabric";

    public static async Task DeleteAsync(ClusterApi api, CancellationToken cancellationToken)
    {
        foreach (var name in await NamesAsync(api, cancellationToken))
        {
            await api.AskAsync<object?>($"delete IPPool {name}", k => UnlessMissingAsync(() => k.CustomObjects.DeleteClusterCustomObjectAsync(Group, Version, Plural, name, cancellationToken: cancellationToken)), cancellationToken);
        }
    }

    static async Task<IReadOnlyList<string>> NamesAsync(ClusterApi api, CancellationToken cancellationToken)
    {
        var list = await api.AskAsync($"list {Plural}.{Group}", k => UnlessMissingAsync(() => k.CustomObjects.ListClusterCustomObjectAsync(Group, Version, Plural, labelSelector: Ours, cancellationToken: cancellationToken)), cancellationToken);
        return list is JsonElement json ? [.. json.GetProperty("items").EnumerateArray().Select(p => p.GetProperty("metadata").GetProperty("name").GetString()!)] : [];
    }

    static async Task<object?> UnlessMissingAsync(Func<Task<object>> request)
    {
        try
        {
            return await request();
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
    }
}
