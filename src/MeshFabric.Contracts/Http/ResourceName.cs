using System.Text.RegularExpressions;

namespace MeshFabric.Contracts.Http;

/// <summary>What clusters and gateways may be called.</summary>
public static partial class ResourceName
{
    /// <summary>For people; completes "this is needed: ...".</summary>
    public const string Rule = "a name of 1 to 63 lower-case letters, digits and hyphens is needed, beginning and ending with a letter or digit (RFC 1123)";

    public static bool IsValid(string? text) => text is not null && Rfc1123Label().IsMatch(text);

    // \z, not $: that would let a line feed pass at the end.
    [GeneratedRegex("^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\\z")]
    private static partial Regex Rfc1123Label();
}
