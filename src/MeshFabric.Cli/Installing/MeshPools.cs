using k8s;
using k8s.Models;

namespace MeshFabric.Cli.Installing;

/// <summary>The IPPools that agents make where there is Calico. Agents that leave delete them; this is for what an agent that did not answer has left.</summary>
static class MeshPools
{
    const string Ours = "app.kubernetes.io/managed-by=meshfabric";

    public static async Task DeleteAsync(ClusterApi api, CancellationToken cancellationToken)
    {
        foreach (var pool in await api.ListCustomAsync(IPPool.Group, IPPool.Version, IPPool.Plural, Ours, cancellationToken))
        {
            var name = pool.GetProperty("metadata").GetProperty("name").GetString();
            await api.DeleteAsync(new IPPool { Metadata = new V1ObjectMeta { Name = name } }, cancellationToken);
        }
    }

    /// <summary>Calico's, as far as it is needed to name one.</summary>
    [KubernetesEntity(Group = Group, ApiVersion = Version, Kind = nameof(IPPool), PluralName = Plural)]
    sealed class IPPool : IKubernetesObject<V1ObjectMeta>
    {
        public const string Group = "crd.projectcalico.org";
        public const string Version = "v1";
        public const string Plural = "ippools";

        public string ApiVersion { get; set; } = $"{Group}/{Version}";
        public string Kind { get; set; } = nameof(IPPool);
        public V1ObjectMeta Metadata { get; set; } = new();
    }
}
