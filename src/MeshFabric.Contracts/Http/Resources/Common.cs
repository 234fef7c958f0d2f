namespace MeshFabric.Contracts.Http;

// Objects of the REST API, shaped as Kubernetes objects: metadata (who), spec (wanted), status (seen).

/// <summary>Identity of an object.</summary>
/// <param name="Name">RFC 1123 label, unique among objects of its kind (for gateways and tunnels: see there).</param>
/// <param name="Uid">Opaque; never reused.</param>
/// <param name="ResourceVersion">Changes with every change of the object; also its ETag.</param>
public sealed record Metadata(string Name, string Uid, string ResourceVersion, DateTimeOffset CreatedAt, IReadOnlyDictionary<string, string> Labels);

/// <summary>One page of a list.</summary>
/// <param name="NextCursor">Hand it back as <c>?cursor=</c> for the next page; null on the last.</param>
/// <param name="Total">Of the filtered set.</param>
public sealed record Page<T>(IReadOnlyList<T> Items, string? NextCursor, int Total);

/// <summary>Something that is true, false or unknown about an object.</summary>
/// <param name="Status">True, False or Unknown.</param>
public sealed record Condition(string Type, string Status, string Reason, string Message, DateTimeOffset LastTransitionTime);

/// <summary>Names that both sides share.</summary>
public static class Api
{
    public const string Version = "meshfabric.io/v1";
    public const string Prefix = "/api/v1";

    /// <summary>Largest request body, bytes.</summary>
    public const long MaxBodyBytes = 1 << 20;
}

/// <summary>RFC 9457 problem details with our members.</summary>
/// <param name="Type">Own URI; its last segment is <paramref name="Code"/>.</param>
/// <param name="Code">Stable, kebab-case.</param>
/// <param name="Errors">Messages by JSON pointer of the field, for validation failures.</param>
public sealed record Problem(
    string Type,
    string Title,
    int Status,
    string Detail,
    string? Instance,
    string Code,
    string RequestId,
    IReadOnlyDictionary<string, IReadOnlyList<string>>? Errors);
