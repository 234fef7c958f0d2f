using Microsoft.JSInterop;

namespace MeshFabric.Dashboard.Layout;

/// <summary>What a viewer chose, kept in their browser.</summary>
public sealed class Preferences(IJSRuntime script)
{
    /// <summary>As chosen; as the system has it before.</summary>
    public ValueTask<bool> IsDarkAsync() => script.InvokeAsync<bool>("meshfabric.isDark");

    public ValueTask SetDarkAsync(bool dark) => script.InvokeVoidAsync("meshfabric.setDark", dark);

    public ValueTask CopyAsync(string text) => script.InvokeVoidAsync("meshfabric.copy", text);
}
