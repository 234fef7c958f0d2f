using System.Text.Json.Serialization;
using k8s;
using k8s.Models;
using MeshFabric.Domain.Clusters;
using MeshFabric.Installation;

namespace MeshFabric.Agent.Kubernetes;

/// <summary>Our own kinds in a cluster's API: how the agents of one cluster tell each other what the broker never carries.</summary>
static class MeshObjects
{
    public const string Group = InstallationNames.Group;
    public const string Version = "v1alpha1";
    public const string ApiVersion = $"{Group}/{Version}";
}

/// <summary>A page of them.</summary>
sealed class MeshObjectList<T> : IKubernetesObject<V1ListMeta>, IItems<T>
{
    public string ApiVersion { get; set; } = MeshObjects.ApiVersion;
    public string Kind { get; set; } = "";
    public V1ListMeta Metadata { get; set; } = new();
    public IList<T> Items { get; set; } = [];
}

/// <summary>What a gateway wants of the nodes of its cluster. Written by the agent on the gateway, read by the agents of all nodes.</summary>
sealed class MeshGatewayObject : IKubernetesObject<V1ObjectMeta>
{
    public const string Plural = InstallationNames.Gateways;

    public string ApiVersion { get; set; } = MeshObjects.ApiVersion;
    public string Kind { get; set; } = "MeshGateway";
    public V1ObjectMeta Metadata { get; set; } = new();
    public MeshGatewaySpec Spec { get; set; } = new();
}

/// <summary>CIDRs and addresses as text: what cannot be read is a finding, not a failure.</summary>
sealed record MeshGatewaySpec
{
    public const string NodeGranularity = "node";

    /// <summary>Name of the Kubernetes node that the gateway is on.</summary>
    public string Node { get; init; } = "";

    public OverlaySpec Overlay { get; init; } = new();

    /// <summary>What fits through its tunnels, bytes.</summary>
    public int Mtu { get; init; }

    public IReadOnlyList<string> LocalPrefixes { get; init; } = [];

    public IReadOnlyList<string> RemotePrefixes { get; init; } = [];

    /// <summary>The cluster's Service CIDRs that are part of the mesh.</summary>
    public IReadOnlyList<string> ServicePrefixes { get; init; } = [];

    /// <summary>The gateway's own number, stable while it exists.</summary>
    public int Ordinal { get; init; }

    /// <summary>node: the cluster's other nodes are to end tunnels themselves; null: they are not.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)]
    public string? Granularity { get; init; }

    /// <summary>Its own addresses in the mesh: what nodes probe.</summary>
    public IReadOnlyList<string> TunnelAddresses { get; init; } = [];

    /// <summary>A record's own equality does not look into lists.</summary>
    public static bool Same(MeshGatewaySpec a, MeshGatewaySpec b) => KubernetesJson.Serialize(a) == KubernetesJson.Serialize(b);
}

sealed record OverlaySpec
{
    public int Vni { get; init; }

    /// <summary>UDP.</summary>
    public int Port { get; init; }
}

/// <summary>What the agent of a node saw there. Written by that agent alone.</summary>
sealed class MeshNodeObject : IKubernetesObject<V1ObjectMeta>
{
    public const string Plural = InstallationNames.Nodes;

    public string ApiVersion { get; set; } = MeshObjects.ApiVersion;
    public string Kind { get; set; } = "MeshNode";
    public V1ObjectMeta Metadata { get; set; } = new();
    public MeshNodeStatus Status { get; set; } = new();
}

/// <remarks>No text in it is empty: API servers were met that take an empty text for null, and refuse the whole object.</remarks>
sealed record MeshNodeStatus
{
    /// <summary>What the overlay's outer packets go to; null when that is not known.</summary>
    public string? Address { get; init; }

    public IReadOnlyList<string> PodPrefixes { get; init; } = [];

    /// <summary>Its own addresses inside the cluster's pod prefixes.</summary>
    public IReadOnlyList<string> Sources { get; init; } = [];

    /// <summary>UDP ports of the overlay's candidates that something else uses there.</summary>
    public IReadOnlyList<int> TakenPorts { get; init; } = [];

    public IReadOnlyList<FindingStatus> Findings { get; init; } = [];

    /// <summary>What the node shows of its CNI plug-in; null from an agent that did not look.</summary>
    public NodeObservation? Observation { get; init; }

    /// <summary>True: everything of ours was taken off the node.</summary>
    [JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingDefault)]
    public bool Left { get; init; }

    public string AgentVersion { get; init; } = "";

    /// <summary>A record's own equality does not look into lists.</summary>
    public static bool Same(MeshNodeStatus a, MeshNodeStatus b) => KubernetesJson.Serialize(a) == KubernetesJson.Serialize(b);
}

sealed record FindingStatus(string Severity, string Code, string Subject, string Message, string? Hint);
