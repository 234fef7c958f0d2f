using System.Text.Json;
using k8s;
using k8s.Models;
using MeshFabric.Installation;
using MeshFabric.TestKit;
using MeshFabric.Tests.Repository;
using YamlDotNet.Serialization;

namespace MeshFabric.Tests.Installation;

/// <summary>The Helm chart installs what mfctl installs.</summary>
public sealed class ChartTests
{
    const string Chart = "deploy/helm/meshfabric-agent";

    [Theory]
    [InlineData(2, 51820, new string[0], "")]
    [InlineData(3, 51000, new[] { "10.1.0.0/16", "fd00:1::/48" }, "")]
    [InlineData(1, 51820, new string[0], "meshfabric-join")]
    public void The_rendered_chart_is_what_is_installed(int gateways, int port, string[] podCidrs, string existingSecret)
    {
        var token = existingSecret.Length > 0 ? null : "mfj1_secret";
        var settings = new InstallationSettings("aurora", "registry.test/agent:1") { Gateways = gateways, ListenPort = port, PodCidrs = podCidrs, ServiceCidrs = podCidrs, JoinToken = token, CniConfigDirectory = gateways == 3 ? "/opt/cni/conf" : null, MetricsPort = gateways == 3 ? 9999 : InstallationSettings.DefaultMetricsPort };

        var rendered = Render(Values(("cluster", "aurora"), ("image", settings.Image), ("token", token ?? ""), ("existingSecret", existingSecret), ("gateways", gateways), ("listenPort", port), ("metricsPort", settings.MetricsPort), ("podCidrs", podCidrs), ("serviceCidrs", podCidrs), ("cniConfigDir", settings.CniConfigDirectory ?? InstallationSettings.DefaultCniConfigDirectory)));

        // Helm makes the namespace itself, and takes custom resources from a folder of their own.
        var expected = InstallationObjects.Of(settings).Where(o => o is not (V1Namespace or V1CustomResourceDefinition));
        Assert.Equal(expected.Select(o => Json(o)).Order(StringComparer.Ordinal), rendered.Select(Json).Order(StringComparer.Ordinal));
    }

    [Fact]
    public void The_custom_resources_of_the_chart_are_those_that_are_installed() =>
        Golden.Check(InstallationObjects.Yaml(InstallationObjects.Of(new InstallationSettings("", "")).OfType<V1CustomResourceDefinition>()), $"../../../{Chart}/crds/meshfabric.yaml");

    [Fact]
    public void Without_a_name_a_token_or_the_right_namespace_it_says_what_is_needed()
    {
        Assert.Contains("cluster is needed", Refusal(Values(("token", "mfj1_x"))), StringComparison.Ordinal);
        Assert.Contains("mfctl token create --cluster NAME --standing", Refusal(Values(("cluster", "aurora"))), StringComparison.Ordinal);
        Assert.Contains("add --namespace meshfabric-system", Refusal(Values(("cluster", "aurora"), ("token", "mfj1_x")), "default"), StringComparison.Ordinal);
    }

    [Fact]
    public void The_values_the_schema_and_the_version_belong_together()
    {
        using var schema = JsonDocument.Parse(Repo.Text($"{Chart}/values.schema.json"));
        var known = schema.RootElement.GetProperty("properties").EnumerateObject().Select(p => p.Name).Where(p => p != "global");
        var version = typeof(InstallationSettings).Assembly.GetName().Version!.ToString(3);
        var chart = new DeserializerBuilder().Build().Deserialize<Dictionary<string, string>>(Repo.Text($"{Chart}/Chart.yaml"));

        Assert.Equal(Defaults().Keys.Order(StringComparer.Ordinal), known.Order(StringComparer.Ordinal));
        Assert.Equal((version, version), (chart["version"], chart["appVersion"]));
        Assert.Equal($"meshfabric/agent:{version}", Defaults()["image"]);
        Assert.Equal(($"{InstallationSettings.DefaultGateways}", $"{InstallationSettings.DefaultListenPort}", $"{InstallationSettings.DefaultMetricsPort}"), (Defaults()["gateways"], Defaults()["listenPort"], Defaults()["metricsPort"]));
    }

    static string Refusal(Dictionary<string, object?> values, string @namespace = InstallationNames.Namespace) =>
        Assert.Throws<InvalidOperationException>(() => Render(values, @namespace)).Message;

    static List<object> Render(Dictionary<string, object?> values, string @namespace = InstallationNames.Namespace)
    {
        var root = new Dictionary<string, object?> { ["Values"] = values, ["Release"] = new Dictionary<string, object?> { ["Namespace"] = @namespace } };
        _ = new ChartTemplate(root).Render(Repo.Text($"{Chart}/templates/NOTES.txt"));
        return Directory.GetFiles(Path.Combine(Repo.Root, Chart, "templates"), "*.yaml").Order(StringComparer.Ordinal)
            .Select(f => new ChartTemplate(root).Render(File.ReadAllText(f))).Where(t => t.Trim().Length > 0)
            .SelectMany(t => KubernetesYaml.LoadAllFromString(t)).ToList();
    }

    static Dictionary<string, object?> Values(params (string Name, object Value)[] set)
    {
        var values = Defaults();
        foreach (var (name, value) in set)
        {
            Assert.Contains(name, values.Keys);
            values[name] = value;
        }

        return values;
    }

    static Dictionary<string, object?> Defaults() =>
        new DeserializerBuilder().Build().Deserialize<Dictionary<string, object?>>(Repo.Text($"{Chart}/values.yaml")).ToDictionary(v => v.Key, v => v.Value is List<object> ? Array.Empty<string>() : v.Value);

    static string Json(object item) => KubernetesJson.Serialize(item);
}
