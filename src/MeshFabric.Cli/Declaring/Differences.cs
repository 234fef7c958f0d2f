using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Declaring;

/// <summary>What applying changes, one row each.</summary>
sealed record Difference(string Change, string Object, string Name, string Detail)
{
    public static readonly View<Difference> View = new(d => $"{d.Object}/{d.Name}",
        new("CHANGE", d => d.Change),
        new("OBJECT", d => d.Object),
        new("NAME", d => d.Name),
        new("DETAIL", d => d.Detail));

    public static IReadOnlyList<Difference> Of(ApplyResult result) =>
    [
        .. result.Manifests.Select(m => new Difference(m.Result == "unchanged" ? "=" : "~", m.Kind.ToLowerInvariant(), m.Name, m.Result)),
        .. result.Difference.Paths.Select(p => new Difference("~", "path", $"{p.A} - {p.B}", $"{p.Before} -> {p.After}")),
        .. result.Difference.Appear.Select(t => new Difference("+", "tunnel", t, "appears")),
        .. result.Difference.Go.Select(t => new Difference("-", "tunnel", t, "goes")),
        .. result.Difference.Reconnect.Select(t => new Difference("~", "tunnel", t, "connects anew")),
    ];

    public static string Summary(ApplyResult result)
    {
        var difference = result.Difference;
        var left = difference.Appearing - difference.Appear.Count + difference.Going - difference.Go.Count + difference.Reconnecting - difference.Reconnect.Count;
        return $"{difference.Appearing} tunnel(s) appear, {difference.Going} go{(difference.Reconnecting > 0 ? $", {difference.Reconnecting} connect anew" : "")}: {difference.TunnelsBefore} before, {difference.TunnelsAfter} afterwards{(left > 0 ? $"; {left} of them are not listed" : "")}";
    }

    public static bool IsAny(ApplyResult result) => result.Manifests.Any(m => m.Result != "unchanged");
}
