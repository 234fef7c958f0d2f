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

    /// <summary>An ipBlock.</summary>
    Block,

    /// <summary>A podSelector that takes all pods of the cluster.</summary>
    Pods,
}

/// <summary>Whom a NetworkPolicy's rule lets in, or lets its pod ask.</summary>
public sealed record PolicyPeer(PolicyPeerKind Kind, Cidr? Block = null)
{
    public static readonly PolicyPeer Nobody = new(PolicyPeerKind.Nobody);

    public static readonly PolicyPeer Pods = new(PolicyPeerKind.Pods);

    public static PolicyPeer Of(Cidr block) => new(PolicyPeerKind.Block, block);
}
