using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MeshFabric.Net;

/// <summary>Addresses as text; System.Text.Json throws on <see cref="IPAddress"/> by itself.</summary>
public sealed class IPAddressJsonConverter : JsonConverter<IPAddress>
{
    public override IPAddress Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        IPAddress.TryParse(reader.TokenType == JsonTokenType.String ? reader.GetString() : null, out var address)
            ? address
            : throw new JsonException("an IP address is needed, such as 192.0.2.1 or 2001:db8::1");

    public override void Write(Utf8JsonWriter writer, IPAddress value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
