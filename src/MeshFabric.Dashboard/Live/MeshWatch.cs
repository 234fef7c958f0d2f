using MeshFabric.Contracts.Http;
using MeshFabric.Dashboard.Access;
using Microsoft.AspNetCore.Components.Authorization;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Dashboard.Live;

/// <summary>Keeps one viewer's picture of the mesh fresh, and ends with their token.</summary>
public sealed partial class MeshWatch(OwnApi api, MeshPictures pictures, AuthenticationStateProvider authentication, TimeProvider time, ILogger<MeshWatch> log) : IAsyncDisposable
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(2);

    // Of a service that is slow to answer less is asked.
    const int RestPerLook = 3;

    readonly CancellationTokenSource _ending = new();
    readonly SemaphoreSlim _soon = new(0, 1);
    Task? _watching;
    string? _focus;
    bool _lookOnce;

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

    /// <summary>The picture is held; only whether the token still is one is asked.</summary>
    public bool IsPaused { get; private set; }

    /// <summary>Asks the API by the viewer's token.</summary>
    public async Task<T> AskAsync<T>(Func<MeshClient, Task<T>> ask)
    {
        var session = Session.Of((await authentication.GetAuthenticationStateAsync()).User) ?? throw new InvalidOperationException("nobody is signed in");
        using var client = api.For(session.Token, session.Address);
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
            _lookOnce = true;
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

    // Ends with the viewer or their token, and by nothing else.
    async Task WatchAsync()
    {
        while (!IsSignedOut && !_ending.IsCancellationRequested)
        {
            var began = time.GetTimestamp();
            try
            {
                await LookAsync(_ending.Token);
                Changed?.Invoke();
                await RestAsync(time.GetElapsedTime(began));
            }
            catch (OperationCanceledException) when (_ending.IsCancellationRequested)
            {
                return;
            }
            catch (ObjectDisposedException)
            {
                // The service is ending.
                return;
            }
            catch (Exception e)
            {
                Missed("the dashboard failed; the control service's log has the rest");
                LogFailed(log, e);
                await Task.Delay(Period, time, _ending.Token).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
            }
        }
    }

    async Task RestAsync(TimeSpan took)
    {
        var rest = took * RestPerLook > Period ? took * RestPerLook : Period;
        using var until = CancellationTokenSource.CreateLinkedTokenSource(_ending.Token);
        await Task.WhenAny(Task.Delay(rest, time, until.Token), _soon.WaitAsync(until.Token));
        await until.CancelAsync();
        _ending.Token.ThrowIfCancellationRequested();
    }

    async Task LookAsync(CancellationToken cancellationToken)
    {
        try
        {
            if (IsPaused && !_lookOnce)
            {
                await AskAsync(client => client.GetCallerAsync(cancellationToken));
            }
            else
            {
                _lookOnce = false;
                Picture = await AskAsync(client => PictureAsync(client, _focus, cancellationToken));
            }

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
        // The picture may be another viewer's; that this one may see it is their own token's matter.
        await client.GetCallerAsync(cancellationToken);
        var picture = await pictures.GetAsync(client, cancellationToken);
        return picture.HasAllLinks || focus is null || picture.Clusters.All(c => c.Metadata.Name != focus) ? picture
            : picture.With((await client.FirstLinksAsync(focus, [], MeshPicture.MostLinks, cancellationToken)).Items);
    }

    [LoggerMessage(1801, LogLevel.Error, "A viewer's picture of the mesh failed")]
    static partial void LogFailed(ILogger logger, Exception exception);
}
