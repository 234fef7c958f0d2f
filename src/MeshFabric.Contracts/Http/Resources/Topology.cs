using System.Text.Json;
using System.Text.Json.Serialization;
using MeshFabric.Domain.Topologies;

namespace MeshFabric.Contracts.Http;

/// <summary>Who has tunnels to whom, as declared, and what that is for the clusters that there are. There is one, named <c>mesh</c>.</summary>
public sealed record TopologyResource(Metadata Metadata, TopologySpec Spec, TopologyStatus Status)
{
    public const string TheName = "mesh";

    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "Topology";
}

/// <summary>As <see cref="Topology"/>, with text where a person may err; every field is checked.</summary>
/// <param name="Type">full-mesh, hub-and-spoke, regions or pairs.</param>
/// <param name="Hubs">Label selector; of hub-and-spoke and regions.</param>
/// <param name="RegionLabel">Of regions; <see cref="LabelSelector.RegionKey"/> unless told.</param>
/// <param name="Transit">Hubs hand on what is for others; true unless told.</param>
/// <param name="Pairs">Of pairs.</param>
public sealed record TopologySpec(
    string? Type,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Hubs = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? RegionLabel = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Transit = null,
    [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] IReadOnlyList<TopologyPair>? Pairs = null);

/// <summary>Label selectors: each cluster of the one has tunnels to each of the other.</summary>
public sealed record TopologyPair(string? Between, string? And);

/// <param name="Clusters">Sorted by name.</param>
/// <param name="Tunnels">In all, between gateways.</param>
public sealed record TopologyStatus(long Revision, long Tunnels, IReadOnlyList<TopologyCluster> Clusters)
{
    /// <summary>What is probably not meant: no hub, a region without one, more gateways of hubs than can hand on.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}

/// <param name="Role">hub, spoke or peer.</param>
/// <param name="Region">Empty where regions are no matter.</param>
/// <param name="Linked">Clusters that it has tunnels to.</param>
/// <param name="ByHubs">Clusters that it reaches by hubs.</param>
/// <param name="Unreached">How many clusters it has no way to.</param>
/// <param name="UnreachedNames">The first of them, at most <see cref="MostNames"/>.</param>
public sealed record TopologyCluster(string Name, string Role, string Region, int Linked, int ByHubs, int Unreached, IReadOnlyList<string> UnreachedNames)
{
    public const int MostNames = 10;
}

/// <summary>Body of <c>POST /manifests/apply</c>: all of them, or, when one is refused, none.</summary>
public sealed record ApplyManifests(IReadOnlyList<Manifest>? Manifests);

/// <summary>One declared object: <c>Topology</c>, named mesh; or <c>Cluster</c>, which must be there already.</summary>
/// <param name="Spec">By kind: <see cref="TopologySpec"/>, <see cref="ClusterManifestSpec"/>.</param>
public sealed record Manifest(string? ApiVersion, string? Kind, ManifestMetadata? Metadata, JsonElement? Spec);

/// <param name="Labels">Of a cluster: all that are declared for it, beside those that its inventory tells; null leaves them.</param>
public sealed record ManifestMetadata(string? Name, IReadOnlyDictionary<string, string>? Labels = null);

/// <summary>What can be declared of a cluster; null leaves it.</summary>
/// <param name="Beacons">As of <see cref="ClusterSpec.Beacons"/>; agents that read an inventory tell theirs again.</param>
/// <param name="Granularity">gateway or node.</param>
public sealed record ClusterManifestSpec(bool? AdvertiseServices = null, IReadOnlyList<string>? Beacons = null, string? Granularity = null);

/// <param name="DryRun">Nothing was changed: this is what would have.</param>
/// <param name="Revision">Of the facts afterwards.</param>
public sealed record ApplyResult(bool DryRun, long Revision, IReadOnlyList<AppliedManifest> Manifests, TopologyDifference Difference)
{
    /// <summary>As of <see cref="TopologyStatus.Warnings"/>, afterwards.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];
}

/// <param name="Result">configured or unchanged.</param>
public sealed record AppliedManifest(string Kind, string Name, string Result);

/// <param name="Appearing">Tunnels that come, in all.</param>
/// <param name="Going">Tunnels that go, in all.</param>
/// <param name="Appear">The first of them, named as tunnels are, at most <see cref="Most"/>.</param>
/// <param name="Go">As <paramref name="Appear"/>.</param>
/// <param name="Reconnecting">Tunnels that stay and connect anew, in all: their gateways have other numbers.</param>
/// <param name="Reconnect">As <paramref name="Appear"/>.</param>
/// <param name="Paths">Pairs of clusters that reach each other in another way than before, at most <see cref="Most"/>.</param>
public sealed record TopologyDifference(
    long TunnelsBefore,
    long TunnelsAfter,
    long Appearing,
    long Going,
    long Reconnecting,
    IReadOnlyList<string> Appear,
    IReadOnlyList<string> Go,
    IReadOnlyList<string> Reconnect,
    IReadOnlyList<PathDifference> Paths)
{
    public const int Most = 500;
}

/// <summary>How two clusters reach each other: <c>direct</c>, <c>by HUB, HUB</c> or <c>none</c>; with what one of them is addressed by where that is not its usual prefix.</summary>
public sealed record PathDifference(string A, string B, string Before, string After);
