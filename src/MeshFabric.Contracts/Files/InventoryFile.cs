using MeshFabric.Contracts.Http;
using YamlDotNet.Core;
using YamlDotNet.Serialization;
using YamlDotNet.Serialization.NamingConventions;

namespace MeshFabric.Contracts.Files;

/// <summary>An inventory file cannot be used; the message names the file, the line and what to write instead.</summary>
public sealed class InventoryFileException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>A ClusterInventory in YAML, as a person writes it for a site or a machine. Unknown fields are errors that name their line.</summary>
/// <param name="Name">Of the cluster; empty when the file leaves it out.</param>
public sealed record InventoryFile(string Name, InventoryDocument Inventory)
{
    public const string Kind = "ClusterInventory";

    /// <exception cref="InventoryFileException">Missing, no YAML, or not an inventory.</exception>
    public static InventoryFile Read(string file)
    {
        try
        {
            return Parse(File.ReadAllText(file), file);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new InventoryFileException($"{file} cannot be read: {e.Message}", e);
        }
    }

    /// <param name="where">How messages call the text.</param>
    /// <exception cref="InventoryFileException">No YAML, or not an inventory.</exception>
    public static InventoryFile Parse(string text, string where)
    {
        try
        {
            var document = new DeserializerBuilder().WithNamingConvention(CamelCaseNamingConvention.Instance).Build().Deserialize<Document?>(text);
            if (document is not { Kind: Kind, ApiVersion: Api.Version })
            {
                throw new InventoryFileException($"{where} is no inventory: it must begin with 'apiVersion: {Api.Version}' and 'kind: {Kind}'");
            }

            var spec = document.Spec;
            return new InventoryFile(document.Metadata.Name, new InventoryDocument(spec.Kind, spec.Provider, spec.Region, spec.Zone, document.Metadata.Labels, spec.PodCidrs, spec.ServiceCidrs, null, null) { Beacons = spec.Beacons });
        }
        catch (YamlException e)
        {
            throw new InventoryFileException($"{where}, line {e.Start.Line}: {e.InnerException?.Message ?? e.Message}", e);
        }
    }

    sealed class Document
    {
        public string ApiVersion { get; set; } = "";
        public string Kind { get; set; } = "";
        public Meta Metadata { get; set; } = new();
        public Body Spec { get; set; } = new();
    }

    sealed class Meta
    {
        public string Name { get; set; } = "";
        public Dictionary<string, string> Labels { get; set; } = [];
    }

    sealed class Body
    {
        public string Kind { get; set; } = "site";
        public string Provider { get; set; } = "";
        public string Region { get; set; } = "";
        public string Zone { get; set; } = "";
        public List<string> PodCidrs { get; set; } = [];
        public List<string> ServiceCidrs { get; set; } = [];
        public List<string> Beacons { get; set; } = [];
    }
}
