using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

public enum PolicyDirection
{
    Ingress,
    Egress,
}

public enum PolicyPeerKind
{
    Nobody,

    /// <summary>ipBlocks.</summary>
    Blocks,

    /// <summary>A podSelector that takes all pods of the cluster.</summary>
    Pods,
}

/// <summary>Whom a NetworkPolicy's rule lets in, or lets its pod ask.</summary>
/// <param name="Blocks">Addresses of a family that none of them is of are let in by none.</param>
public sealed record PolicyPeer(PolicyPeerKind Kind, params IReadOnlyList<Cidr> Blocks)
{
    public static readonly PolicyPeer Nobody = new(PolicyPeerKind.Nobody);

    public static readonly PolicyPeer Pods = new(PolicyPeerKind.Pods);

    public static PolicyPeer Of(params IReadOnlyList<Cidr> blocks) => new(PolicyPeerKind.Blocks, blocks);
}
