namespace MeshFabric.Installation;

/// <summary>All that can be chosen about the agents of one cluster.</summary>
/// <param name="Cluster">Its name in the mesh.</param>
/// <param name="Image">Reference of the agent's image.</param>
public sealed record InstallationSettings(string Cluster, string Image)
{
    public const int DefaultGateways = 2;
    public const int DefaultListenPort = 51820;
    public const int DefaultMetricsPort = 9586;
    public const string DefaultCniConfigDirectory = "/etc/cni/net.d";

    /// <summary>How many nodes are gateways at a time, 1 to 8.</summary>
    public int Gateways { get; init; } = DefaultGateways;

    /// <summary>UDP port of the first WireGuard device; the others follow it.</summary>
    public int ListenPort { get; init; } = DefaultListenPort;

    /// <summary>TCP port on each node's loopback for metrics, and for the kubelet to ask whether the agent is well: something else there may have the usual one.</summary>
    public int MetricsPort { get; init; } = DefaultMetricsPort;

    /// <summary>Pod CIDRs that the cluster's API cannot tell; empty: the agents find them.</summary>
    public IReadOnlyList<string> PodCidrs { get; init; } = [];

    /// <summary>Service CIDRs that the cluster's API cannot tell; empty: the agents find them.</summary>
    public IReadOnlyList<string> ServiceCidrs { get; init; } = [];

    /// <summary>What the API server answered when it was asked for its Service CIDR, which agents may not ask for: of use where nothing else names it. Null: it was not asked, or did not say.</summary>
    public string? AnsweredServiceCidr { get; init; }

    /// <summary>Directory on the nodes where the kubelet finds its CNI plug-in's configuration; null: the usual one. k3s and MicroK8s have their own.</summary>
    public string? CniConfigDirectory { get; init; }

    /// <summary>Nodes that are not ready: their pods must not keep the others from being brought up to date.</summary>
    public int NodesDown { get; init; }

    /// <summary>SHA-256 of the mesh's CA certificate; null: not claimed by a mesh yet.</summary>
    public string? Mesh { get; init; }

    /// <summary>The standing join token; null: its Secret is not among the objects.</summary>
    public string? JoinToken { get; init; }

    /// <summary>Without the token.</summary>
    public override string ToString() => $"InstallationSettings {{ Cluster = {Cluster}, Image = {Image}, Gateways = {Gateways} }}";
}
