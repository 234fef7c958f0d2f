using System.Text.Json.Serialization;

namespace MeshFabric.Domain.Planning;

/// <summary>A refusal or warning of a planner: what is wrong, with what, and how to mend it.</summary>
/// <param name="Code">Stable, kebab-case, documented in docs/findings.md.</param>
/// <param name="Subject">What it is about, such as <c>cluster/aurora</c> or <c>gateway/aurora/gw1</c>.</param>
public sealed record Finding(FindingSeverity Severity, string Code, string Subject, string Message, string Hint);

[JsonConverter(typeof(JsonStringEnumConverter<FindingSeverity>))]
public enum FindingSeverity
{
    [JsonStringEnumMemberName("warning")]
    Warning,

    /// <summary>The subject is left out of the plan.</summary>
    [JsonStringEnumMemberName("error")]
    Error,
}
