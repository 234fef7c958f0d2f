using System.Net;

namespace MeshFabric.Lab.Topology;

public enum HostRole
{
    Internet,
    Control,
    Switch,
    Nat,
    Gateway,
    Worker,

    /// <summary>Of a cluster whose nodes stand on the internet themselves.</summary>
    Node,

    /// <summary>Has the API server of a cluster of kubelets.</summary>
    Api,
    Pod,
}

/// <summary>One network namespace of a lab.</summary>
/// <param name="Name">In the lab: <c>control</c>, <c>aurora-gw1</c>, <c>aurora-w1</c>, <c>aurora-w1-p1</c>.</param>
/// <param name="Namespace">On this machine: the lab's name, a dash and the host's name.</param>
/// <param name="Cluster">Empty for the internet and the control plane.</param>
public sealed record LabHost(string Name, string Namespace, HostRole Role, string Cluster)
{
    /// <summary>As the cluster calls it: <c>gw1</c>.</summary>
    public string ShortName => Cluster.Length == 0 ? Name : Name[(Cluster.Length + 1)..];

    public string NamespacePath { get; init; } = "/run/netns/" + Namespace;

    /// <summary>Pods: their own address. Gateways and nodes: on the internet. Control plane: on the internet. Others: null.</summary>
    public IPAddress? Address { get; init; }

    public IPAddress? Address6 { get; init; }

    public IEnumerable<IPAddress> Addresses => new[] { Address, Address6 }.OfType<IPAddress>();
}
