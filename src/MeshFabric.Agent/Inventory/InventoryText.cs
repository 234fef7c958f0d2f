using System.Net;
using MeshFabric.Contracts.Files;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Agent.Inventory;

/// <summary>From an inventory as text to values.</summary>
static class InventoryText
{
    /// <param name="where">How messages call the document.</param>
    /// <exception cref="InventoryFileException">A field is wrong; the message names it.</exception>
    public static ClusterInventory ToInventory(InventoryDocument document, string where) => new(
        document.Kind switch
        {
            null or "" or "site" => ClusterKind.Site,
            "machine" => ClusterKind.Machine,
            "kubernetes" => ClusterKind.Kubernetes,
            _ => throw new InventoryFileException($"{where}: spec.kind '{document.Kind}' is not site, machine or kubernetes"),
        },
        new ClusterLocation(document.Provider ?? "", document.Region ?? "", document.Zone ?? ""),
        (document.Labels ?? new Dictionary<string, string>()).Select(l => new Label(l.Key, l.Value)).OrderBy(l => l.Key, StringComparer.Ordinal).ToValueList(),
        Cidrs(document.PodCidrs, "podCidrs", where),
        Cidrs(document.ServiceCidrs, "serviceCidrs", where),
        document.KubernetesVersion ?? "",
        [])
    {
        Beacons = document.Beacons?.Select((text, i) => IPAddress.TryParse(text, out var address) ? Cidr.Host(address) : throw new InventoryFileException($"{where}: spec.beacons[{i}]: '{text}' is not an address")).Order().ToValueList(),
    };

    static ValueList<Cidr> Cidrs(IReadOnlyList<string>? texts, string field, string where) => (texts ?? []).Select((text, i) =>
        Cidr.TryParse(text, out var cidr, out var error) ? cidr : throw new InventoryFileException($"{where}: spec.{field}[{i}]: {error}")).Order().ToValueList();
}
