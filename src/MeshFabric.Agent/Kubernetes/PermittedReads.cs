using System.Net;
using k8s;
using k8s.Autorest;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Reads of one round. What does not exist is null; what is forbidden is null and a warning with the rule that is missing; all else that fails fails the round.</summary>
sealed class PermittedReads(IKubernetes client)
{
    readonly List<string> _warnings = [];

    public IReadOnlyList<string> Warnings => [.. _warnings.Distinct()];

    public void Warn(string text) => _warnings.Add(text);

    /// <param name="what">For people: "list nodes".</param>
    /// <param name="rule">Null: do without when it is forbidden, and say nothing.</param>
    public async Task<T?> TryAsync<T>(string what, RbacRule? rule, Func<Task<T>> read) where T : class
    {
        try
        {
            return await read();
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.NotFound)
        {
            return null;
        }
        catch (HttpOperationException e) when (e.Response.StatusCode == HttpStatusCode.Forbidden)
        {
            if (rule is not null)
            {
                Warn(KubernetesErrors.Describe(e, client.BaseUri, what, rule));
            }

            return null;
        }
    }
}
