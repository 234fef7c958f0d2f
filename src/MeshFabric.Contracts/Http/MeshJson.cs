using System.Text.Encodings.Web;
using System.Text.Json;
using System.Text.Json.Serialization;

namespace MeshFabric.Contracts.Http;

/// <summary>How the API writes and reads JSON; one place for both sides.</summary>
public static class MeshJson
{
    /// <summary>camelCase, enums by name, unknown members refused.</summary>
    public static readonly JsonSerializerOptions Options = Apply(new JsonSerializerOptions(JsonSerializerDefaults.Web));

    /// <summary>As <see cref="Options"/>, and a doubled member is refused too: how a server reads what it is sent.</summary>
    public static readonly JsonSerializerOptions Strict = new(Options) { AllowDuplicateProperties = false };

    /// <summary>As <see cref="Options"/>, but unknown members are skipped: what a client uses, so that a newer server may add some.</summary>
    public static readonly JsonSerializerOptions Lenient = new(Options) { UnmappedMemberHandling = JsonUnmappedMemberHandling.Skip };

    public static JsonSerializerOptions Apply(JsonSerializerOptions options)
    {
        options.UnmappedMemberHandling = JsonUnmappedMemberHandling.Disallow;
        options.PropertyNameCaseInsensitive = false;
        options.NumberHandling = JsonNumberHandling.Strict;
        options.Encoder = JavaScriptEncoder.UnsafeRelaxedJsonEscaping;
        options.RespectNullableAnnotations = true;
        return options;
    }
}
