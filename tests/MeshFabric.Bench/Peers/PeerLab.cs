using MeshFabric.Lab;

namespace MeshFabric.Bench.Peers;

/// <summary>A lab of two sites that a peer is set up in.</summary>
static class PeerLab
{
    /// <param name="setUp">When it fails nothing of the lab stays.</param>
    public static async Task<Lab.Lab> CreateAsync(string name, Func<Lab.Lab, Task> setUp, CancellationToken cancellationToken)
    {
        var lab = await Lab.Lab.CreateAsync(new LabSpec(name, TwoSites.Clusters), null, cancellationToken);
        try
        {
            await setUp(lab);
            return lab;
        }
        catch
        {
            await lab.DisposeAsync();
            throw;
        }
    }
}
