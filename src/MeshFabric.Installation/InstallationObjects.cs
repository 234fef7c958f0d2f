using System.Text;
using k8s;
using k8s.Models;

namespace MeshFabric.Installation;

/// <summary>Everything that is installed in a cluster: the one source of what <c>mfctl</c> applies, the manifest and the chart.</summary>
/// <remarks>Pure: the same settings give the same objects.</remarks>
public static class InstallationObjects
{
    /// <summary>In the order in which they are applied.</summary>
    public static IReadOnlyList<IKubernetesObject<V1ObjectMeta>> Of(InstallationSettings settings)
    {
        List<IKubernetesObject<V1ObjectMeta>> objects =
        [
            CustomResources.MeshGateway(),
            CustomResources.MeshNode(),
            Namespace(settings),
            new V1ServiceAccount { ApiVersion = "v1", Kind = V1ServiceAccount.KubeKind, Metadata = Own() },
            new V1ClusterRole { ApiVersion = Rbac, Kind = V1ClusterRole.KubeKind, Metadata = OfCluster(), Rules = AgentRoles.InCluster() },
            new V1ClusterRoleBinding { ApiVersion = Rbac, Kind = V1ClusterRoleBinding.KubeKind, Metadata = OfCluster(), RoleRef = To(V1ClusterRole.KubeKind), Subjects = [Agent()] },
            new V1Role { ApiVersion = Rbac, Kind = V1Role.KubeKind, Metadata = Own(), Rules = AgentRoles.InNamespace() },
            new V1RoleBinding { ApiVersion = Rbac, Kind = V1RoleBinding.KubeKind, Metadata = Own(), RoleRef = To(V1Role.KubeKind), Subjects = [Agent()] },
        ];
        if (settings.JoinToken is { } token)
        {
            objects.Add(Secret(token));
        }

        objects.Add(AgentDaemonSet.Of(settings));
        return objects;
    }

    /// <summary>As a manifest of several documents.</summary>
    public static string Yaml(IEnumerable<IKubernetesObject<V1ObjectMeta>> objects) =>
        string.Join("---\n", objects.Select(o => KubernetesYaml.Serialize(o).ReplaceLineEndings("\n").TrimEnd('\n') + "\n"));

    internal static Dictionary<string, string> Labels() => new() { [InstallationNames.NameLabel] = InstallationNames.Agent, [InstallationNames.PartOfLabel] = InstallationNames.PartOf };

    const string Rbac = $"{V1Role.KubeGroup}/{V1Role.KubeApiVersion}";

    static V1Namespace Namespace(InstallationSettings settings)
    {
        var labels = Labels();
        // The agents are privileged; Pod Security Admission (Kubernetes 1.25) refuses that elsewhere.
        labels["pod-security.kubernetes.io/enforce"] = "privileged";
        var annotations = settings.Mesh is { } mesh
            ? new Dictionary<string, string> { [InstallationNames.ClusterAnnotation] = settings.Cluster, [InstallationNames.MeshAnnotation] = mesh }
            : null;
        return new V1Namespace { ApiVersion = "v1", Kind = V1Namespace.KubeKind, Metadata = new V1ObjectMeta { Name = InstallationNames.Namespace, Labels = labels, Annotations = annotations } };
    }

    static V1Secret Secret(string token) => new()
    {
        ApiVersion = "v1",
        Kind = V1Secret.KubeKind,
        Type = "Opaque",
        Metadata = new V1ObjectMeta { Name = InstallationNames.JoinSecret, NamespaceProperty = InstallationNames.Namespace, Labels = Labels() },
        Data = new Dictionary<string, byte[]> { [InstallationNames.JoinSecretKey] = Encoding.UTF8.GetBytes(token) },
    };

    static V1ObjectMeta Own() => new() { Name = InstallationNames.Agent, NamespaceProperty = InstallationNames.Namespace, Labels = Labels() };

    static V1ObjectMeta OfCluster() => new() { Name = InstallationNames.Agent, Labels = Labels() };

    static V1RoleRef To(string kind) => new() { ApiGroup = V1Role.KubeGroup, Kind = kind, Name = InstallationNames.Agent };

    static Rbacv1Subject Agent() => new() { Kind = V1ServiceAccount.KubeKind, Name = InstallationNames.Agent, NamespaceProperty = InstallationNames.Namespace };
}
