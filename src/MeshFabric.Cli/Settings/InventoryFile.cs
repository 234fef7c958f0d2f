using MeshFabric.Contracts.Http;
using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace MeshFabric.Cli;

/// <summary>A ClusterInventory in YAML; unknown fields are errors that name their line.</summary>
static class InventoryFile
{
    public sealed class Document
    {
        public string ApiVersion { get; set; } = "";
        public string Kind { get; set; } = "";
        public Meta Metadata { get; set; } = new();
        public Body Spec { get; set; } = new();

        public CreateCluster ToCreateCluster(string name) =>
            new(name, Metadata.Labels, new CreateClusterSpec(Spec.Kind, Spec.Provider, Spec.Region, Spec.Zone, Spec.PodCidrs, Spec.ServiceCidrs));
    }

    public sealed class Meta
    {
        public string Name { get; set; } = "";
        public Dictionary<string, string> Labels { get; set; } = [];
    }

    public sealed class Body
    {
        public string Kind { get; set; } = "site";
        public string Provider { get; set; } = "";
        public string Region { get; set; } = "";
        public string Zone { get; set; } = "";
        public List<string> PodCidrs { get; set; } = [];
        public List<string> ServiceCidrs { get; set; } = [];
    }

    public static Document Read(string file)
    {
        try
        {
            var document = new DeserializerBuilder().WithNamingConvention(CamelCaseNamingConvention.Instance).Build().Deserialize<Document?>(File.ReadAllText(file));
            return document is { Kind: "ClusterInventory", ApiVersion: Api.Version }
                ? document
                : throw new CommandException(ExitCode.Usage, $"{file} is no inventory: it must begin with 'apiVersion: {Api.Version}' and 'kind: ClusterInventory'");
        }
        catch (YamlException e)
        {
            throw new CommandException(ExitCode.Usage, $"{file}, line {e.Start.Line}: {e.InnerException?.Message ?? e.Message}");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Usage, e.Message);
        }
    }
}
