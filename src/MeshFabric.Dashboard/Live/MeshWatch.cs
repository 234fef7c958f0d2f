using MeshFabric.Contracts.Http;
using MeshFabric.Dashboard.Access;
using Microsoft.AspNetCore.Components.Authorization;

namespace MeshFabric.Dashboard.Live;

/// <summary>Keeps one viewer's picture of the mesh fresh: all that one shows at a time comes from the same picture.</summary>
public sealed class MeshWatch(OwnApi api, AuthenticationStateProvider authentication, TimeProvider time) : IAsyncDisposable
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(2);
    static readonly string[] NotAsWanted = ["degraded", "down", "unknown"];

    readonly CancellationTokenSource _ending = new();
    readonly SemaphoreSlim _soon = new(0, 1);
    Task? _watching;
    string? _focus;

    /// <summary>The picture, or one of its circumstances, is another one. Comes from no particular thread.</summary>
    public event Action? Changed;

    /// <summary>Null until the first has come.</summary>
    public MeshPicture? Picture { get; private set; }

    /// <summary>Since when there has been no answer; null while there is.</summary>
    public DateTimeOffset? StaleSince { get; private set; }

    /// <summary>Why there is none, in words.</summary>
    public string Trouble { get; private set; } = "";

    /// <summary>The token is none any more.</summary>
    public bool IsSignedOut { get; private set; }

    public bool IsPaused { get; private set; }

    /// <summary>Asks the API by the viewer's token.</summary>
    public async Task<T> AskAsync<T>(Func<MeshClient, Task<T>> ask)
    {
        var session = Session.Of((await authentication.GetAuthenticationStateAsync()).User) ?? throw new InvalidOperationException("nobody is signed in");
        using var client = api.For(session.Token);
        return await ask(client);
    }

    public void Start() => _watching ??= WatchAsync();

    public void Pause(bool paused)
    {
        IsPaused = paused;
        Hurry();
        Changed?.Invoke();
    }

    /// <summary>The cluster whose links are wanted, all of them; null for none.</summary>
    public void FocusOn(string? cluster)
    {
        if (_focus != cluster)
        {
            _focus = cluster;
            Hurry();
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _ending.CancelAsync();
        if (_watching is not null)
        {
            await _watching;
        }

        _ending.Dispose();
        _soon.Dispose();
    }

    void Hurry()
    {
        if (_soon.CurrentCount == 0)
        {
            _soon.Release();
        }
    }

    async Task WatchAsync()
    {
        try
        {
            while (!IsSignedOut)
            {
                if (!IsPaused)
                {
                    await LookAsync(_ending.Token);
                    Changed?.Invoke();
                }

                using var until = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
                var period = Task.Delay(Period, time, until.Token);
                await Task.WhenAny(period, _soon.WaitAsync(until.Token));
                await until.CancelAsync();
                _ending.Token.ThrowIfCancellationRequested();
            }
        }
        catch (OperationCanceledException)
        {
            // The viewer has gone.
        }
    }

    async Task LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            Picture = await AskAsync(client => PictureAsync(client, _focus, cancellationToken));
            (StaleSince, Trouble) = (null, "");
        }
        catch (MeshApiException e)
        {
            IsSignedOut = e.Problem.Status is 401;
            Missed(e.Message);
        }
        catch (MeshUnreachableException e)
        {
            Missed(e.Message);
        }
    }

    void Missed(string why) => (StaleSince, Trouble) = (StaleSince ?? Picture?.At ?? time.GetUtcNow(), why);

    async Task<MeshPicture> PictureAsync(MeshClient client, string? focus, CancellationToken cancellationToken)
    {
        var mesh = await client.GetMeshAsync(cancellationToken);
        var clusters = await client.ListAsync<ClusterResource>("clusters", cancellationToken);
        var all = clusters.Count <= MeshPicture.MostWithAllLinks;
        var links = await client.ListLinksAsync(null, all ? [] : NotAsWanted, cancellationToken);
        if (!all && focus is not null && clusters.Any(c => c.Metadata.Name == focus))
        {
            links = [.. (await client.ListLinksAsync(focus, [], cancellationToken)).UnionBy(links, l => (l.A, l.B))];
        }

        return new MeshPicture(mesh, clusters, links, focus, all, time.GetUtcNow());
    }
}
