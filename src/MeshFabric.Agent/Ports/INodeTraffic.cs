using MeshFabric.Net;

namespace MeshFabric.Agent.Ports;

/// <summary>What the pods of this node sent and received, east-west and north-south.</summary>
public interface INodeTraffic
{
    /// <summary>Since the node's table was last written: figures begin anew now and then. Empty where nothing is counted.</summary>
    ValueList<TrafficCount> Read();
}

/// <param name="Direction"><c>out</c>: from a pod of this node; <c>in</c>: to one.</param>
/// <param name="Side"><c>mesh</c>: other clusters; <c>outside</c>: neither this cluster nor the mesh.</param>
/// <param name="Bytes">IP packets whole, as they are forwarded.</param>
public sealed record TrafficCount(string Direction, string Side, long Packets, long Bytes);

/// <summary>A host that is no node of a Kubernetes cluster.</summary>
public sealed class NoTraffic : INodeTraffic
{
    public ValueList<TrafficCount> Read() => [];
}
