using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Agent.Linux;

/// <summary>What <see cref="LinuxNodeObserver"/> asks besides files; tests answer in the place of a host.</summary>
interface INodeQueries
{
    /// <summary>Every link with its addresses.</summary>
    IReadOnlyList<NodeLink> Links();

    /// <summary>Blackhole routes that Calico's programs made: the node's blocks. Then its pods whose addresses are of another node's block.</summary>
    IReadOnlyList<Cidr> CalicoBlocks();

    /// <summary>What a program printed; null when it is not installed or refuses.</summary>
    Task<string?> RunAsync(string program, string[] arguments, CancellationToken cancellationToken);

    /// <summary>JSON that a daemon of this host answers; null when there is none.</summary>
    Task<string?> GetAsync(Uri address, CancellationToken cancellationToken);
}
