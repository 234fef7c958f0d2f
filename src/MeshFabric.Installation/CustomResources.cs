using k8s.Models;

namespace MeshFabric.Installation;

/// <summary>The objects by which a cluster's agents tell each other what they need to know. Everything in them is written by agents.</summary>
public static class CustomResources
{
    /// <summary>A gateway slot as the cluster's other nodes need to know it. Its name is the gateway's.</summary>
    public static V1CustomResourceDefinition MeshGateway() => Definition("MeshGateway", InstallationNames.Gateways, "mgw", "spec",
        Object(
            ("node", Text("Kubernetes node that holds the slot")),
            ("overlay", Object(("vni", Number("VXLAN network identifier", 1, 16_777_215)), ("port", Port("UDP port of the overlay")))),
            ("mtu", Number("what fits through its tunnels, bytes", 0, 65_535)),
            ("localPrefixes", Texts("the cluster's own prefixes that are part of the mesh")),
            ("remotePrefixes", Texts("what the mesh is reached by from this cluster")),
            ("servicePrefixes", Texts("the cluster's Service CIDRs that are part of the mesh")),
            ("granularity", Text("node: the cluster's other nodes are to end tunnels themselves")),
            ("ordinal", Number("the gateway's own number", 0, 7)),
            ("tunnelAddresses", Texts("its own addresses in the mesh: what nodes probe"))),
        Column("Node", "string", ".spec.node"),
        Column("Tunnel", "string", ".spec.tunnelAddresses"),
        Column("Remote", "string", ".spec.remotePrefixes", priority: 1),
        Column("MTU", "integer", ".spec.mtu", priority: 1));

    /// <summary>What the agent of a node says of it. Its name is the node's.</summary>
    public static V1CustomResourceDefinition MeshNode() => Definition("MeshNode", InstallationNames.Nodes, "mn", "status",
        Object(
            ("address", Text("what the overlay's outer packets go to")),
            ("podPrefixes", Texts("of the pods on it")),
            ("sources", Texts("its own addresses inside the cluster's pod prefixes")),
            ("takenPorts", new V1JSONSchemaProps { Type = "array", Description = "UDP ports of the overlay's candidates that something else uses there", Items = Port(null) }),
            ("observation", new V1JSONSchemaProps { Type = "object", Description = "what it saw of the CNI plug-in", XKubernetesPreserveUnknownFields = true }),
            ("findings", new V1JSONSchemaProps
            {
                Type = "array",
                Items = Object(("severity", Text("error, warning or info")), ("code", Text("stable, listed in docs/findings.md")), ("subject", Text("what it is about")), ("message", Text("what was found")), ("hint", Text("what to do"))),
            }),
            ("agentVersion", Text("version of the agent on it")),
            ("left", new V1JSONSchemaProps { Type = "boolean", Description = "the agent has taken everything of ours off the host" })),
        Column("Address", "string", ".status.address"),
        Column("Pods", "string", ".status.podPrefixes"),
        Column("Agent", "string", ".status.agentVersion", priority: 1),
        Column("Left", "boolean", ".status.left", priority: 1));

    static V1CustomResourceDefinition Definition(string kind, string plural, string shortName, string part, V1JSONSchemaProps schema, params V1CustomResourceColumnDefinition[] columns) => new()
    {
        ApiVersion = $"{V1CustomResourceDefinition.KubeGroup}/{V1CustomResourceDefinition.KubeApiVersion}",
        Kind = V1CustomResourceDefinition.KubeKind,
        Metadata = new V1ObjectMeta { Name = $"{plural}.{InstallationNames.Group}", Labels = InstallationObjects.Labels() },
        Spec = new V1CustomResourceDefinitionSpec
        {
            Group = InstallationNames.Group,
            Scope = "Cluster",
            Names = new V1CustomResourceDefinitionNames { Kind = kind, ListKind = $"{kind}List", Plural = plural, Singular = kind.ToLowerInvariant(), ShortNames = [shortName] },
            PreserveUnknownFields = false,
            Versions =
            [
                new V1CustomResourceDefinitionVersion
                {
                    Name = InstallationNames.GroupVersion,
                    Served = true,
                    Storage = true,
                    Schema = new V1CustomResourceValidation { OpenAPIV3Schema = Object((part, schema)) },
                    AdditionalPrinterColumns = [.. columns, Column("Age", "date", ".metadata.creationTimestamp")],
                },
            ],
        },
    };

    static V1CustomResourceColumnDefinition Column(string name, string type, string path, int? priority = null) => new() { Name = name, Type = type, JsonPath = path, Priority = priority };

    static V1JSONSchemaProps Object(params (string Name, V1JSONSchemaProps Schema)[] properties) => new() { Type = "object", Properties = properties.ToDictionary(p => p.Name, p => p.Schema) };

    static V1JSONSchemaProps Text(string description) => new() { Type = "string", Description = description };

    static V1JSONSchemaProps Texts(string description) => new() { Type = "array", Description = description, Items = new V1JSONSchemaProps { Type = "string" } };

    static V1JSONSchemaProps Number(string? description, int low, int high) => new() { Type = "integer", Description = description, Minimum = low, Maximum = high };

    static V1JSONSchemaProps Port(string? description) => Number(description, 0, 65_535);
}
