using MeshFabric.Net;

namespace MeshFabric.Contracts;

/// <summary>What an agent knows that former ones do not, as it says itself: a version number would not tell it of one that is built between two releases.</summary>
public static class AgentCapabilities
{
    /// <summary>It plans by the declared topology. Without it an agent plans a full mesh, whatever is declared.</summary>
    public const string Topologies = "topologies";

    /// <summary>Of this very build.</summary>
    public static ValueList<string> Own { get; } = [Topologies];
}
