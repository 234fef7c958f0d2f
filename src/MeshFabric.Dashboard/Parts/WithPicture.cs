using MeshFabric.Contracts.Http;
using MeshFabric.Dashboard.Live;
using Microsoft.AspNetCore.Components;

namespace MeshFabric.Dashboard.Parts;

/// <summary>A view of the present picture: it is rendered anew with each.</summary>
public abstract class WithPicture : ComponentBase, IDisposable
{
    [Inject] public required MeshWatch Watch { get; init; }

    protected MeshPicture? Picture => Watch.Picture;

    /// <summary>Why the API did not answer what this view asked last; null when it did.</summary>
    protected string? Refusal { get; private set; }

    public void Dispose()
    {
        Watch.Changed -= OnChanged;
        Ended();
        GC.SuppressFinalize(this);
    }

    protected override void OnInitialized() => Watch.Changed += OnChanged;

    /// <summary>With each new picture, before it is rendered: for what a view asks the API beside it.</summary>
    protected virtual Task RefreshAsync() => Task.CompletedTask;

    /// <returns>What was there before when the API refuses, or is away; <see cref="Refusal"/> says why.</returns>
    protected async Task<T> AskAsync<T>(Func<MeshClient, Task<T>> ask, T before)
    {
        try
        {
            var answer = await Watch.AskAsync(ask);
            Refusal = null;
            return answer;
        }
        catch (Exception e) when (e is MeshApiException or MeshUnreachableException)
        {
            Refusal = e.Message;
            return before;
        }
    }

    protected virtual void Ended()
    {
    }

    void OnChanged() => InvokeAsync(async () =>
    {
        await RefreshAsync();
        StateHasChanged();
    });
}
