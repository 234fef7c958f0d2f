using System.Text.Json.Serialization;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Contracts.Http;

/// <summary>Its metadata name is the token's id.</summary>
public sealed record JoinTokenResource(Metadata Metadata, JoinTokenSpec Spec, JoinTokenStatus Status)
{
    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "JoinToken";
}

/// <param name="Cluster">The one cluster it admits gateways to; empty: any new cluster that the agent names.</param>
/// <param name="ExpiresAt">Null: never.</param>
/// <param name="MaxUses">Null: as often as it is needed.</param>
/// <param name="Standing">It admits gateways until it is revoked or its cluster removed.</param>
public sealed record JoinTokenSpec(string Cluster, DateTimeOffset? ExpiresAt, int? MaxUses, string Description, bool Standing = false);

/// <param name="State">active, used, expired or revoked.</param>
/// <param name="Token">Only in the answer to its creation.</param>
public sealed record JoinTokenStatus(string State, int Uses, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Token)
{
    public override string ToString() => $"JoinTokenStatus {{ State = {State}, Uses = {Uses} }}";
}

/// <summary>Body of <c>POST /join-tokens</c>.</summary>
/// <param name="ExpiresInSeconds">Default 900, at most 86,400.</param>
/// <param name="MaxUses">Default 1, at most <see cref="GatewayFacts.MaxPerCluster"/>.</param>
/// <param name="Standing">Neither expires nor is used up: for the agents inside a cluster. Needs a cluster that exists, and no other limit.</param>
public sealed record CreateJoinToken(string? Cluster, int? ExpiresInSeconds, int? MaxUses, string? Description, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] bool? Standing = null);

public sealed record ApiTokenResource(Metadata Metadata, ApiTokenSpec Spec, ApiTokenStatus Status)
{
    public string ApiVersion { get; init; } = Api.Version;
    public string Kind { get; init; } = "ApiToken";
}

/// <param name="Role">viewer, operator or admin.</param>
public sealed record ApiTokenSpec(string Role, DateTimeOffset? ExpiresAt, string Description);

public sealed record ApiTokenStatus(string State, DateTimeOffset? LastUsedAt, [property: JsonIgnore(Condition = JsonIgnoreCondition.WhenWritingNull)] string? Token)
{
    public override string ToString() => $"ApiTokenStatus {{ State = {State} }}";
}

/// <summary>Body of <c>POST /api-tokens</c>.</summary>
public sealed record CreateApiToken(string? Name, string? Role, int? ExpiresInSeconds, string? Description);

/// <summary>Who the API takes the caller for.</summary>
/// <param name="Name">Of the API token; what the audit names.</param>
/// <param name="Role">viewer, operator or admin.</param>
/// <param name="ExpiresAt">Null: never.</param>
public sealed record CallerResource(string Name, string TokenId, string Role, DateTimeOffset? ExpiresAt);
