using MeshFabric.Net;

namespace MeshFabric.Contracts.Http;

/// <summary>Body of <c>POST /enrolments</c>, authorised by a join token: how an agent becomes a gateway of a cluster.</summary>
/// <param name="CertificateRequest">PKCS#10, PEM, ECDSA P-256: the key stays with the agent.</param>
/// <param name="Endpoints">Candidates in order of preference, with the port of plane 0.</param>
/// <param name="Inventory">Optional first inventory, so that joining needs no further round trip.</param>
public sealed record CreateEnrolment(
    string? Token,
    string? Cluster,
    string? Gateway,
    string? PublicKey,
    int? ListenPort,
    IReadOnlyList<string>? Endpoints,
    string? CertificateRequest,
    string? AgentVersion,
    InventoryDocument? Inventory)
{
    /// <summary>The Kubernetes node that the agent is on.</summary>
    public string? Node { get; init; }

    /// <summary>It is to carry for the pods of its own node alone.</summary>
    public bool? Leaf { get; init; }

    public override string ToString() => $"CreateEnrolment {{ Cluster = {Cluster}, Gateway = {Gateway} }}";
}

/// <summary>An inventory as a person or an agent writes it; every field is checked.</summary>
public sealed record InventoryDocument(
    string? Kind,
    string? Provider,
    string? Region,
    string? Zone,
    IReadOnlyDictionary<string, string>? Labels,
    IReadOnlyList<string>? PodCidrs,
    IReadOnlyList<string>? ServiceCidrs,
    string? KubernetesVersion,
    IReadOnlyList<InventoryNode>? Nodes)
{
    /// <summary>Addresses that answer pings, best not of gateways.</summary>
    public IReadOnlyList<string>? Beacons { get; init; }

    public static InventoryDocument Of(Domain.Clusters.ClusterInventory inventory) => new(
        inventory.Kind.ToString().ToLowerInvariant(),
        inventory.Location.Provider,
        inventory.Location.Region,
        inventory.Location.Zone,
        inventory.Labels.DistinctBy(l => l.Key).ToDictionary(l => l.Key, l => l.Value),
        inventory.PodCidrs.Select(c => c.ToString()).ToList(),
        inventory.ServiceCidrs.Select(c => c.ToString()).ToList(),
        inventory.KubernetesVersion,
        inventory.Nodes.Select(n => new InventoryNode(n.Name, n.Ready, n.Addresses, n.PodCidrs.Select(c => c.ToString()).ToList(), n.Zone, n.KubeletVersion)).ToList())
    {
        Beacons = inventory.Beacons?.Select(b => b.Address.ToString()).ToList(),
    };
}

public sealed record InventoryNode(string? Name, bool? Ready, IReadOnlyList<string>? Addresses, IReadOnlyList<string>? PodCidrs, string? Zone, string? KubeletVersion);

/// <summary>What an agent needs from then on.</summary>
/// <param name="GatewayId">Its identity on the broker.</param>
/// <param name="Certificate">PEM, for the broker; subject CN is <c>agent-GATEWAYID</c>.</param>
/// <param name="BrokerCertificateAuthority">PEM; the only CA to trust for the broker.</param>
/// <param name="Facts">The first snapshot, so that tunnels come up before the first message.</param>
public sealed record EnrolmentResource(
    string ClusterId,
    string Cluster,
    string GatewayId,
    string Gateway,
    BrokerAddress Broker,
    string Certificate,
    string BrokerCertificateAuthority,
    Domain.MeshFacts Facts);

public sealed record BrokerAddress(string Host, int Port, string VirtualHost);

/// <summary>Whether a gateway is part of the mesh.</summary>
/// <param name="State">Always <c>enrolled</c>; a removed gateway is answered with 410 and the code <c>gateway-removed</c>.</param>
public sealed record EnrolmentStateResource(string GatewayId, string State);
