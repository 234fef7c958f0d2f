using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MeshFabric.Agent.Nodes;

/// <summary>Addresses as text: an <see cref="IPAddress"/> has properties that throw for the other family.</summary>
sealed class AddressConverter : JsonConverter<IPAddress>
{
    public override IPAddress Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        IPAddress.TryParse(reader.GetString(), out var address) ? address : throw new JsonException("not an address");

    public override void Write(Utf8JsonWriter writer, IPAddress value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
