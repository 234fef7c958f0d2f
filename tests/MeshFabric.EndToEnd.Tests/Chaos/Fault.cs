namespace MeshFabric.EndToEnd.Tests.Chaos;

/// <summary>Something that breaks.</summary>
/// <param name="Node">Where; null: in the control plane, or in a cluster's API.</param>
sealed record Fault(string Kind, string? Node, Func<CancellationToken, Task> ApplyAsync)
{
    /// <summary>Null: the product mends it by itself.</summary>
    public Func<CancellationToken, Task>? UndoAsync { get; init; }

    /// <summary>Its node is no gateway for others meanwhile; the cluster's other one must be.</summary>
    public bool TakesGateway { get; init; }

    /// <summary>Nobody steers its own node's pods meanwhile, or nothing reaches it at all.</summary>
    public bool CutsPodsOff { get; init; }

    /// <summary>The control plane cannot be asked meanwhile.</summary>
    public bool TakesControl { get; init; }

    /// <summary>Takes away what sends the mesh's traffic into tunnels: until that is mended, a packet may go by the host's own routes.</summary>
    public bool TakesRoutes { get; init; }

    public override string ToString() => Node is null ? Kind : $"{Kind} on {Node}";
}
