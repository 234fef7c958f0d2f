using MeshFabric.Lab.Topology;
using MeshFabric.Lab.Traffic;

namespace MeshFabric.Bench.Measuring;

/// <summary>TCP connections that stand while things happen. One that broke is counted and another one takes its place.</summary>
sealed class LastingConnections : IAsyncDisposable
{
    readonly LabHost _from;
    readonly LabHost _to;
    readonly List<LastingConnection> _all = [];

    LastingConnections(LabHost from, LabHost to) => (_from, _to) = (from, to);

    public int Broken { get; private set; }

    public static async Task<LastingConnections> OpenAsync(LabHost from, LabHost to, int count, CancellationToken cancellationToken)
    {
        var connections = new LastingConnections(from, to);
        for (var i = 0; i < count; i++)
        {
            connections._all.Add(await LastingConnection.OpenAsync(from, to, cancellationToken));
        }

        return connections;
    }

    /// <summary>Sends something through each, both ways, again and again, and counts those that break.</summary>
    /// <param name="patience">As of <see cref="CountBrokenAsync"/>.</param>
    /// <param name="isEnough">Asked between two turns.</param>
    public async Task TalkAsync(TimeSpan patience, Func<bool> isEnough, CancellationToken cancellationToken)
    {
        do
        {
            await CountBrokenAsync(patience, cancellationToken);
            await Task.Delay(10, cancellationToken);
        }
        while (!isEnough());
    }

    /// <summary>Sends something through each, both ways.</summary>
    /// <param name="patience">How long it may take: what is lost is sent again by TCP.</param>
    public async Task CountBrokenAsync(TimeSpan patience, CancellationToken cancellationToken)
    {
        foreach (var connection in _all.ToList())
        {
            if (await connection.BrokenAsync(patience, cancellationToken) is not null)
            {
                Broken++;
                _all.Remove(connection);
                await connection.DisposeAsync();
                _all.Add(await LastingConnection.OpenAsync(_from, _to, cancellationToken));
            }
        }
    }

    public async ValueTask DisposeAsync()
    {
        foreach (var connection in _all)
        {
            await connection.DisposeAsync();
        }
    }
}
