using System.Diagnostics.CodeAnalysis;
using System.Text.Json;
using System.Text.Json.Serialization;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;

namespace MeshFabric.Domain.Topologies;

/// <summary>Chooses clusters by their labels, written as Kubernetes writes label selectors: <c>role=hub,env in (prod, stage),!legacy</c>. Every requirement must hold.</summary>
/// <remarks>What is known of a cluster anyhow can be asked as well: see <see cref="Known"/>.</remarks>
[JsonConverter(typeof(LabelSelectorJsonConverter))]
public sealed record LabelSelector(ValueList<LabelRequirement> Requirements)
{
    public const string NameKey = "meshfabric.io/name", KindKey = "meshfabric.io/kind", ProviderKey = "meshfabric.io/provider", RegionKey = "meshfabric.io/region", ZoneKey = "meshfabric.io/zone";

    /// <summary>Keys that every cluster has without anybody labelling it.</summary>
    public static readonly IReadOnlyList<string> Known = [NameKey, KindKey, ProviderKey, RegionKey, ZoneKey];

    public bool Matches(ClusterFacts cluster) => Requirements.All(r => r.Matches(ValueOf(cluster, r.Key)));

    /// <summary>Null when the cluster has no such label, or nothing is known of it.</summary>
    public static string? ValueOf(ClusterFacts cluster, string key) => key switch
    {
        NameKey => cluster.Name,
        KindKey => cluster.Kind.ToString().ToLowerInvariant(),
        ProviderKey => Some(cluster.Location.Provider),
        RegionKey => Some(cluster.Location.Region),
        ZoneKey => Some(cluster.Location.Zone),
        _ => cluster.Labels.FirstOrDefault(l => l.Key == key)?.Value,
    };

    static string? Some(string text) => text.Length > 0 ? text : null;

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
