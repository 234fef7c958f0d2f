using System.Text.Json.Serialization;

namespace MeshFabric.Contracts.Http;

/// <summary>Something that happened, in order of <paramref name="Sequence"/>.</summary>
/// <param name="Type">kebab-case, such as cluster-joined, tunnel-connected, prefix-remapped.</param>
/// <param name="Severity">info, warning or error.</param>
/// <param name="Actor">Who caused it: token name, <c>agent/CLUSTER/GATEWAY</c> or <c>system</c>.</param>
public sealed record EventResource(long Sequence, DateTimeOffset At, string Type, string Severity, string Subject, string Actor, string Message);

/// <summary>Who changed what; append-only.</summary>
/// <param name="Action">NOUN.VERB, such as cluster.create.</param>
/// <param name="Before">The object before the change; null when it was created.</param>
/// <param name="After">The object after the change; null when it was removed.</param>
public sealed record AuditRecordResource(
    long Sequence,
    DateTimeOffset At,
    string Actor,
    string Action,
    string Target,
    System.Text.Json.JsonElement? Before,
    System.Text.Json.JsonElement? After,
    string RequestId,
    string RemoteAddress);
