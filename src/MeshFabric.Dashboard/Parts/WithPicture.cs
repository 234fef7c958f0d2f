using MeshFabric.Contracts.Http;
using MeshFabric.Dashboard.Live;
using Microsoft.AspNetCore.Components;

namespace MeshFabric.Dashboard.Parts;

/// <summary>A view of the present picture, and of what it asks the API beside it: asked anew with each picture, and with each other address of the page.</summary>
public abstract class WithPicture : ComponentBase, IDisposable
{
    // Cancelled with the view, and replaced with each other address of the page.
    CancellationTokenSource _asking = new();
    Task _refreshing = Task.CompletedTask;

    [Inject] public required MeshWatch Watch { get; init; }

    protected MeshPicture? Picture => Watch.Picture;

    /// <summary>Why the API did not answer what this view asked last; null when it did.</summary>
    protected string? Refusal { get; private set; }

    public void Dispose()
    {
        Dispose(true);
        GC.SuppressFinalize(this);
    }

    protected virtual void Dispose(bool disposing)
    {
        Watch.Changed -= OnChanged;
        _asking.Cancel();
    }

    protected override void OnInitialized() => Watch.Changed += OnChanged;

    protected override Task OnParametersSetAsync()
    {
        // What is on its way is the answer to something else.
        _asking.Cancel();
        _asking = new CancellationTokenSource();
        return _refreshing = RefreshAsync(_asking.Token);
    }

    /// <summary>Asks the API for what this view shows beside the picture.</summary>
    protected virtual Task RefreshAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <param name="take">Takes the answer; not called for one that nobody waits for any more.</param>
    protected async Task AskAsync<T>(Func<MeshClient, Task<T>> ask, Action<T> take, CancellationToken cancellationToken)
    {
        try
        {
            var answer = await Watch.AskAsync(ask);
            if (!cancellationToken.IsCancellationRequested)
            {
                take(answer);
                Refusal = null;
            }
        }
        catch (Exception e) when (e is MeshApiException or MeshUnreachableException)
        {
            Refusal = cancellationToken.IsCancellationRequested ? Refusal : e.Message;
        }
        catch (OperationCanceledException) when (cancellationToken.IsCancellationRequested)
        {
            // The view has gone, or shows something else.
        }
    }

    void OnChanged() => _ = InvokeAsync(async () =>
    {
        try
        {
            // One at a time: an API that is slow is not asked the more for it.
            if (!Watch.IsPaused && _refreshing.IsCompleted && !_asking.IsCancellationRequested)
            {
                await (_refreshing = RefreshAsync(_asking.Token));
            }

            StateHasChanged();
        }
        catch (Exception e) when (!_asking.IsCancellationRequested)
        {
            await DispatchExceptionAsync(e);
        }
    });
}
