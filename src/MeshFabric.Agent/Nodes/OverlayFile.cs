using System.Text.Json;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Agent.Nodes;

/// <summary>The last facts of the overlay, on disk: a node restarts without its cluster's API.</summary>
sealed class OverlayFile(AgentStateDirectory state)
{
    static readonly JsonSerializerOptions Json = new(MeshJson.Lenient) { Converters = { new IPAddressJsonConverter() } };

    OverlayFacts? _written;

    string Path => System.IO.Path.Combine(state.Directory, "overlay.json");

    /// <summary>Null when there are none that can be read: then the API is waited for.</summary>
    public OverlayFacts? Read()
    {
        try
        {
            return _written ??= File.Exists(Path) ? JsonSerializer.Deserialize<OverlayFacts>(File.ReadAllText(Path), Json) : null;
        }
        catch (Exception e) when (e is JsonException or IOException or FormatException)
        {
            return null;
        }
    }

    public void Write(OverlayFacts facts)
    {
        if (facts != _written)
        {
            state.Write(Path, JsonSerializer.Serialize(facts, Json));
            _written = facts;
        }
    }
}
