using System.Reflection;
using System.Text;
using k8s;
using k8s.Models;
using MeshFabric.Agent.Kubernetes;
using MeshFabric.Installation;
using MeshFabric.TestKit;

namespace MeshFabric.Tests.Installation;

public sealed class InstallationObjectsTests
{
    const string Header = """
        # The agents of one cluster, for those who apply manifests themselves; `mfctl cluster join NAME --kubeconfig FILE` does the same and waits.
        # Generated: UPDATE_GOLDEN=1 make test SUITE=unit. Change the two values marked below, and add the join token:
        #   mfctl token create --cluster NAME --standing | kubectl -n meshfabric-system create secret generic meshfabric-join --from-file=token=/dev/stdin

        """;

    static readonly InstallationSettings Settings = new("aurora", "meshfabric/agent:1.2.3") { Mesh = new string('a', 64), JoinToken = "mfj1_secret" };

    [Fact]
    public void The_shipped_manifest_is_what_is_installed()
    {
        var version = typeof(InstallationSettings).Assembly.GetName().Version!.ToString(3);
        var yaml = InstallationObjects.Yaml(InstallationObjects.Of(new InstallationSettings("my-cluster", $"meshfabric/agent:{version}")));

        var marked = yaml.Replace("value: my-cluster", "value: my-cluster  # its name in the mesh", StringComparison.Ordinal)
            .Replace($"image: meshfabric/agent:{version}", $"image: meshfabric/agent:{version}  # where your nodes find the image", StringComparison.Ordinal);
        Golden.Check(Header + marked, "../../../deploy/kubernetes/agent.yaml");
    }

    [Fact]
    public void The_manifest_reads_back_as_the_same_objects()
    {
        var objects = InstallationObjects.Of(Settings);

        var read = KubernetesYaml.LoadAllFromString(InstallationObjects.Yaml(objects));

        Assert.Equal(objects.Select(o => KubernetesJson.Serialize((object)o)), read.Select(o => KubernetesJson.Serialize(o)));
    }

    [Fact]
    public void Everything_but_the_namespace_and_what_is_the_clusters_lies_in_our_namespace_and_bears_our_labels()
    {
        foreach (var item in InstallationObjects.Of(Settings))
        {
            Assert.Equal(InstallationNames.PartOf, item.Metadata.Labels[InstallationNames.PartOfLabel]);
            Assert.Equal(item is V1Namespace or V1CustomResourceDefinition or V1ClusterRole or V1ClusterRoleBinding ? null : InstallationNames.Namespace, item.Metadata.NamespaceProperty);
        }
    }

    [Fact]
    public void What_is_needed_by_another_is_applied_before_it() =>
        Assert.Equal(
            ["CustomResourceDefinition", "CustomResourceDefinition", "Namespace", "ServiceAccount", "ClusterRole", "ClusterRoleBinding", "Role", "RoleBinding", "Secret", "DaemonSet"],
            InstallationObjects.Of(Settings).Select(o => o.Kind));

    [Fact]
    public void The_join_token_is_in_its_Secret_and_nowhere_else()
    {
        var secret = Assert.Single(InstallationObjects.Of(Settings).OfType<V1Secret>());

        Assert.Equal("mfj1_secret", Encoding.UTF8.GetString(secret.Data["token"]));
        Assert.DoesNotContain("mfj1_secret", Settings.ToString(), StringComparison.Ordinal);
        Assert.DoesNotContain("mfj1_secret", InstallationObjects.Yaml(InstallationObjects.Of(Settings).Where(o => o is not V1Secret)), StringComparison.Ordinal);
        Assert.DoesNotContain(InstallationObjects.Of(Settings with { JoinToken = null }), o => o is V1Secret);
    }

    [Fact]
    public void The_agents_may_read_no_Secret_run_nothing_in_pods_and_have_no_wildcard()
    {
        var rules = AgentRoles.InCluster().Concat(AgentRoles.InNamespace()).ToList();

        Assert.DoesNotContain(rules, r => r.Resources.Any(x => x.Contains("secret", StringComparison.Ordinal) || x.Contains('/')));
        Assert.DoesNotContain(rules, r => r.Resources.Concat(r.Verbs).Concat(r.ApiGroups).Contains("*"));
    }

    [Fact]
    public void The_environment_says_what_was_chosen()
    {
        var chosen = Variables(Settings with { Gateways = 3, ListenPort = 51000, PodCidrs = ["10.1.0.0/16", "fd00:1::/48"] });

        Assert.Equal(("aurora", "3", "51000", "10.1.0.0/16,fd00:1::/48"), (chosen["MESHFABRIC_CLUSTER"], chosen["MESHFABRIC_GATEWAYS"], chosen["MESHFABRIC_LISTEN_PORT"], chosen["MESHFABRIC_POD_CIDRS"]));
        Assert.DoesNotContain("MESHFABRIC_POD_CIDRS", Variables(Settings).Keys);
    }

    [Theory]
    [InlineData("v1.29.3+k3s1", null, "/var/lib/rancher/k3s/agent/etc/cni/net.d")]
    [InlineData("v1.29.3", "microk8s.io/cluster", "/var/snap/microk8s/current/args/cni-network")]
    [InlineData("v1.29.3+rke2r1", null, null)]
    public void The_plug_ins_configuration_is_looked_for_where_the_distribution_keeps_it(string version, string? label, string? folder) =>
        Assert.Equal(folder, MeshFabric.Cli.Installing.CniFolders.Of(
        [
            new k8s.Models.V1Node
            {
                Metadata = new() { Name = "n1", Labels = label is null ? null : new Dictionary<string, string> { [label] = "true" } },
                Status = new() { NodeInfo = new() { KubeletVersion = version } },
            },
        ]));

    /// <summary>The API server drops what the schema does not know, and the agent would write it again and again.</summary>
    [Fact]
    public void The_custom_resources_have_a_place_for_everything_that_agents_write()
    {
        AssertKnown(typeof(MeshGatewaySpec), CustomResources.MeshGateway().Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["spec"]);
        AssertKnown(typeof(MeshNodeStatus), CustomResources.MeshNode().Spec.Versions[0].Schema.OpenAPIV3Schema.Properties["status"]);
        Assert.Equal((MeshObjects.Group, MeshObjects.Version, MeshGatewayObject.Plural, MeshNodeObject.Plural), (InstallationNames.Group, InstallationNames.GroupVersion, InstallationNames.Gateways, InstallationNames.Nodes));

        static void AssertKnown(Type type, V1JSONSchemaProps schema)
        {
            if (schema.XKubernetesPreserveUnknownFields == true)
            {
                return;
            }

            foreach (var property in type.GetProperties(BindingFlags.Public | BindingFlags.Instance | BindingFlags.DeclaredOnly))
            {
                var name = char.ToLowerInvariant(property.Name[0]) + property.Name[1..];
                Assert.True(schema.Properties.TryGetValue(name, out var known), $"{type.Name}.{property.Name} has no place in the schema");
                var item = property.PropertyType.IsGenericType ? property.PropertyType.GetGenericArguments()[0] : property.PropertyType;
                if (item.Namespace!.StartsWith("MeshFabric", StringComparison.Ordinal))
                {
                    AssertKnown(item, known.Items as V1JSONSchemaProps ?? known);
                }
            }
        }
    }

    static Dictionary<string, string> Variables(InstallationSettings settings) =>
        Assert.Single(InstallationObjects.Of(settings).OfType<V1DaemonSet>()).Spec.Template.Spec.Containers[0].Env.ToDictionary(v => v.Name, v => v.Value ?? v.ValueFrom.FieldRef.FieldPath);
}
