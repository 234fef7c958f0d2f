using System.Text.Json.Serialization;
using MeshFabric.Net;

namespace MeshFabric.Domain.Topologies;

/// <summary>Which clusters have tunnels to each other, as somebody declared it. What that means for the clusters that there are is <see cref="MeshGraph"/>.</summary>
public sealed record Topology(TopologyKind Kind)
{
    public static readonly Topology FullMesh = new(TopologyKind.FullMesh);

    /// <summary>The clusters that others reach each other by; machines are none. Of hub-and-spoke and regions; null otherwise.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public LabelSelector? Hubs { get; init; }

    /// <summary>Whether it is of a kind that has hubs, even if no cluster is one.</summary>
    [JsonIgnore]
    public bool HasHubs => Kind is TopologyKind.HubAndSpoke or TopologyKind.Regions;

    /// <summary>The label whose value is a cluster's region. Of regions.</summary>
    public string RegionLabel { get; init; } = LabelSelector.RegionKey;

    /// <summary>Hubs hand on what is for others. False: whoever has no tunnel to a cluster does not reach it.</summary>
    public bool Transit { get; init; } = true;

    /// <summary>Of pairs: who has tunnels to whom, in either order.</summary>
    public ValueList<ClusterPair> Pairs { get; init; } = [];
}

[JsonConverter(typeof(JsonStringEnumConverter<TopologyKind>))]
public enum TopologyKind
{
    /// <summary>Everybody with everybody.</summary>
    [JsonStringEnumMemberName("full-mesh")]
    FullMesh,

    /// <summary>Hubs with everybody; the others by the hubs.</summary>
    [JsonStringEnumMemberName("hub-and-spoke")]
    HubAndSpoke,

    /// <summary>Everybody with everybody of its own region, and hubs with the hubs of all regions; the others by the hubs of both regions.</summary>
    [JsonStringEnumMemberName("regions")]
    Regions,

    /// <summary>Those that are named, and nobody else.</summary>
    [JsonStringEnumMemberName("pairs")]
    Pairs,
}

/// <summary>Each cluster that one side chooses has tunnels to each that the other one does.</summary>
public sealed record ClusterPair(LabelSelector Between, LabelSelector And);
