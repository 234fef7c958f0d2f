using System.Diagnostics.CodeAnalysis;
using System.Text.RegularExpressions;
using MeshFabric.Net;

namespace MeshFabric.Domain.Topologies;

/// <summary>Reads a label selector as <c>kubectl --selector</c> does; an empty one, which would choose every cluster, is refused.</summary>
sealed partial class LabelSelectorReader(string text)
{
    public bool TryRead([NotNullWhen(true)] out LabelSelector? selector, out string error)
    {
        var requirements = new List<LabelRequirement>();
        (selector, error) = (null, text.Length > LabelSelector.MaxLength ? $"a label selector has at most {LabelSelector.MaxLength} characters, not {text.Length}" : "");
        if (error.Length > 0)
        {
            return false;
        }

        foreach (var part in Parts())
        {
            if (Requirement(part.Trim()) is not { } requirement)
            {
                error = part.Trim().Length == 0
                    ? "a label selector is needed, such as role=hub (every cluster is: meshfabric.io/name)"
                    : $"'{part.Trim()}' is no requirement of a label selector: write KEY, !KEY, KEY=VALUE, KEY!=VALUE, KEY in (A, B) or KEY notin (A, B)";
                return false;
            }

            requirements.Add(requirement);
        }

        selector = new LabelSelector(requirements.ToValueList());
        return true;
    }

    // Commas part requirements, but not inside of parentheses.
    IEnumerable<string> Parts() => Comma().Split(text);

    static LabelRequirement? Requirement(string part)
    {
        if (Set().Match(part) is { Success: true } set)
        {
            var values = set.Groups["values"].Value.Split(',').Select(v => v.Trim()).Distinct().Order(StringComparer.Ordinal).ToValueList();
            return values.All(v => Value().IsMatch(v)) ? Of(set, set.Groups["not"].Success ? LabelOperator.NotIn : LabelOperator.In, values) : null;
        }

        if (Equal().Match(part) is { Success: true } equal)
        {
            return Of(equal, equal.Groups["not"].Success ? LabelOperator.NotIn : LabelOperator.In, [equal.Groups["value"].Value]);
        }

        return Bare().Match(part) is { Success: true } bare ? Of(bare, bare.Groups["not"].Success ? LabelOperator.NotExists : LabelOperator.Exists, []) : null;
    }

    static LabelRequirement Of(Match match, LabelOperator how, ValueList<string> values) => new(match.Groups["key"].Value, how, values);

    const string Key = "(?<key>([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?/)?[A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)";
    const string OneValue = "([A-Za-z0-9]([A-Za-z0-9._-]{0,61}[A-Za-z0-9])?)?";

    [GeneratedRegex(@",(?![^(]*\))")]
    private static partial Regex Comma();

    [GeneratedRegex($@"^{Key}\s+(?<not>not)?in\s*\((?<values>[^()]*)\)\z")]
    private static partial Regex Set();

    [GeneratedRegex($@"^{Key}\s*((?<not>!=)|==?)\s*(?<value>{OneValue})\z")]
    private static partial Regex Equal();

    [GeneratedRegex($@"^(?<not>!)?\s*{Key}\z")]
    private static partial Regex Bare();

    [GeneratedRegex($@"^{OneValue}\z")]
    private static partial Regex Value();
}
