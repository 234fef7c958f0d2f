using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Domain.Topologies;

/// <summary>Chooses clusters by their declared labels, written as Kubernetes writes label selectors: <c>role=hub,env in (prod, stage),!legacy</c>. Every requirement must hold.</summary>
/// <remarks>Only declared labels count, and a cluster's name (<see cref="NameKey"/>).</remarks>
[JsonConverter(typeof(LabelSelectorJsonConverter))]
public sealed record LabelSelector(ValueList<LabelRequirement> Requirements)
{
    /// <summary>A label that every cluster has without anybody declaring it.</summary>
    public const string NameKey = "meshfabric.io/name";

    /// <summary>Where a cluster is, when somebody who may said so.</summary>
    public const string ProviderKey = "meshfabric.io/provider", RegionKey = "meshfabric.io/region", ZoneKey = "meshfabric.io/zone";

    /// <summary>Longest text, characters.</summary>
    public const int MaxLength = 1000;

    public bool Matches(ClusterFacts cluster) => Requirements.All(r => r.Matches(ValueOf(cluster, r.Key)));

    /// <summary>Null when the cluster has no such label. What its agents say of it does not count: it must not choose its own neighbours.</summary>
    public static string? ValueOf(ClusterFacts cluster, string key) => key == NameKey ? cluster.Name : cluster.Declared.FirstOrDefault(l => l.Key == key)?.Value;

    public static bool TryParse(string? text, [NotNullWhen(true)] out LabelSelector? selector, out string error) => new LabelSelectorReader(text ?? "").TryRead(out selector, out error);

    /// <exception cref="FormatException">As of <see cref="TryParse"/>.</exception>
    public static LabelSelector Parse(string text) => TryParse(text, out var selector, out var error) ? selector : throw new FormatException(error);

    public override string ToString() => string.Join(',', Requirements);
}

/// <param name="Values">Of In and NotIn; sorted.</param>
public sealed record LabelRequirement(string Key, LabelOperator Operator, ValueList<string> Values)
{
    /// <param name="value">Null: there is no such label.</param>
    public bool Matches(string? value) => Operator switch
    {
        LabelOperator.In => value is not null && Values.Contains(value),
        LabelOperator.NotIn => value is null || !Values.Contains(value),
        LabelOperator.Exists => value is not null,
        _ => value is null,
    };

    public override string ToString() => (Operator, Values.Count) switch
    {
        (LabelOperator.Exists, _) => Key,
        (LabelOperator.NotExists, _) => $"!{Key}",
        (LabelOperator.In, 1) => $"{Key}={Values[0]}",
        (LabelOperator.NotIn, 1) => $"{Key}!={Values[0]}",
        (LabelOperator.In, _) => $"{Key} in ({string.Join(", ", Values)})",
        _ => $"{Key} notin ({string.Join(", ", Values)})",
    };
}

public enum LabelOperator
{
    In,
    NotIn,
    Exists,
    NotExists,
}

sealed class LabelSelectorJsonConverter : JsonConverter<LabelSelector>
{
    public override LabelSelector Read(ref Utf8JsonReader reader, Type typeToConvert, JsonSerializerOptions options) =>
        LabelSelector.TryParse(reader.TokenType == JsonTokenType.String ? reader.GetString() : null, out var selector, out var error) ? selector : throw new JsonException(error);

    public override void Write(Utf8JsonWriter writer, LabelSelector value, JsonSerializerOptions options) => writer.WriteStringValue(value.ToString());
}
