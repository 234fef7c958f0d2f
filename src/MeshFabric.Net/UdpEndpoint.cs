using System.Diagnostics.CodeAnalysis;
using System.Net;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MeshFabric.Net;

/// <summary>An IP address and UDP port, printed as <c>192.0.2.1:51820</c> or <c>[2001:db8::1]:51820</c>.</summary>
[JsonConverter(typeof(UdpEndpointJsonConverter))]
public sealed record UdpEndpoint(IPAddress Address, int Port) : IComparable<UdpEndpoint>
{
    public static UdpEndpoint Of(IPEndPoint endpoint) => new(endpoint.Address, endpoint.Port);

    public static bool TryParse(string? text, [NotNullWhen(true)] out UdpEndpoint? endpoint)
    {
        endpoint = IPEndPoint.TryParse(text ?? "", out var parsed) && parsed.Port != 0 ? Of(parsed) : null;
        return endpoint is not null && endpoint.ToString() == text;
    }

    public static UdpEndpoint Parse(string text) =>
        TryParse(text, out var endpoint) ? endpoint : throw new FormatException($"'{text}' is not an address and port such as 192.0.2.1:51820 or [2001:db8::1]:51820");

    public UdpEndpoint WithPort(int port) => this with { Port = port };

    public IPEndPoint ToIPEndPoint() => new(Address, Port);

    public int CompareTo(UdpEndpoint? other) => string.CompareOrdinal(ToString(), other?.ToString());

    public override string ToString() => ToIPEndPoint().ToString();
}

sealed class UdpEndpointJsonConverter : JsonConverter<UdpEndpoint>
{
    public override UdpEndpoint Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        UdpEndpoint.TryParse(reader.TokenType == JsonTokenType.String ? reader.GetString() : null, out var endpoint)
            ? endpoint
            : throw new JsonException("an endpoint is an address and port such as 192.0.2.1:51820 or [2001:db8::1]:51820");

    public override void Write(Utf8JsonWriter writer, UdpEndpoint value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
