using MeshFabric.Contracts.Http;

namespace MeshFabric.Dashboard.Live;

/// <summary>The present picture, the same for everybody who looks at about the same time: each role may read all that is in it.</summary>
public sealed class MeshPictures(TimeProvider time) : IDisposable
{
    // A little less than viewers wait between two looks, so that each look sees something new.
    static readonly TimeSpan Fresh = TimeSpan.FromSeconds(1.5);
    static readonly string[] NotAsWanted = [.. LinkResource.States.Where(s => s != "connected")];

    readonly SemaphoreSlim _asking = new(1, 1);
    MeshPicture? _last;

    /// <param name="client">Asks when there is none that is fresh.</param>
    public async Task<MeshPicture> GetAsync(MeshClient client, CancellationToken cancellationToken)
    {
        await _asking.WaitAsync(cancellationToken);
        try
        {
            return _last is { } last && time.GetUtcNow() - last.At < Fresh ? last : _last = await AskAsync(client, cancellationToken);
        }
        finally
        {
            _asking.Release();
        }
    }

    public void Dispose() => _asking.Dispose();

    async Task<MeshPicture> AskAsync(MeshClient client, CancellationToken cancellationToken)
    {
        var mesh = await client.GetMeshAsync(cancellationToken);
        var clusters = await client.ListAsync<ClusterResource>("clusters", cancellationToken);
        // As many as can be drawn, and no more: of a large mesh that is ill as a whole there are tens of thousands.
        var links = await client.FirstLinksAsync(null, clusters.Count <= MeshPicture.MostWithAllLinks ? [] : NotAsWanted, MeshPicture.MostLinks, cancellationToken);
        return new MeshPicture(mesh, clusters, links.Items, links.Total, clusters.Count <= MeshPicture.MostWithAllLinks, time.GetUtcNow());
    }
}
