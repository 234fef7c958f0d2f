using System.Text.Json.Serialization;

namespace MeshFabric.Cli.Verifying;

[JsonConverter(typeof(JsonStringEnumConverter<CheckResult>))]
enum CheckResult
{
    [JsonStringEnumMemberName("ok")]
    Ok,

    [JsonStringEnumMemberName("warning")]
    Warning,

    [JsonStringEnumMemberName("failed")]
    Failed,

    /// <summary>Could not be checked, because of what another check says.</summary>
    [JsonStringEnumMemberName("skipped")]
    Skipped,
}

/// <summary>One thing that was checked.</summary>
/// <param name="Category">clusters, addresses, tunnels, gateways or traffic.</param>
/// <param name="Id">Stable, kebab-case; also the anchor of its hint.</param>
/// <param name="Name">A sentence that is true when it is ok.</param>
/// <param name="Detail">What was seen.</param>
/// <param name="Hint">Where it is told what to do; null when ok.</param>
sealed record Check(string Category, string Id, string Name, CheckResult Result, string Detail, string? Hint)
{
    public const string HintBase = "https://meshfabric.io/docs/verify#";

    public static Check Of(string category, string id, string name, CheckResult result, string detail) =>
        new(category, id, name, result, detail, result == CheckResult.Ok ? null : HintBase + id);

    /// <summary>As a table shows it.</summary>
    [JsonIgnore]
    public string Symbol => Result switch
    {
        CheckResult.Ok => "√ ok",
        CheckResult.Warning => "‼ warning",
        CheckResult.Failed => "× failed",
        _ => "- skipped",
    };
}
