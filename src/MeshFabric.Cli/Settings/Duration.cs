using System.CommandLine.Parsing;
using System.Globalization;
using System.Text.RegularExpressions;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli;

/// <summary>Durations as people write them: <c>90</c> (seconds), <c>500ms</c>, <c>45s</c>, <c>5m30s</c>, <c>12h</c>, <c>7d</c>.</summary>
static partial class Duration
{
    /// <summary>Longest that is accepted: what fits a timer and any server limit.</summary>
    static readonly TimeSpan Longest = TimeSpan.FromDays(366);

    public static bool TryParse(string text, out TimeSpan duration)
    {
        duration = TimeSpan.Zero;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out var seconds))
        {
            duration = TimeSpan.FromSeconds(seconds);
            return duration <= Longest;
        }

        var match = Shape().Match(text);
        if (!match.Success || text.Length == 0)
        {
            return false;
        }

        duration = Part("d", TimeSpan.TicksPerDay) + Part("h", TimeSpan.TicksPerHour) + Part("m", TimeSpan.TicksPerMinute) + Part("s", TimeSpan.TicksPerSecond) + Part("ms", TimeSpan.TicksPerMillisecond);
        return duration <= Longest;

        TimeSpan Part(string unit, long ticks) =>
            match.Groups[unit].Success ? TimeSpan.FromTicks(ticks * int.Parse(match.Groups[unit].Value, CultureInfo.InvariantCulture)) : TimeSpan.Zero;
    }

    public static TimeSpan Parse(string text, string name) =>
        TryParse(text, out var duration) ? duration : throw CommandException.Usage($"{name} '{text}' is not a duration such as 30s, 5m30s, 12h or 7d");

    /// <summary>For options.</summary>
    public static TimeSpan? Parse(ArgumentResult result)
    {
        if (TryParse(result.Tokens[0].Value, out var duration))
        {
            return duration;
        }

        result.AddError($"'{result.Tokens[0].Value}' is not a duration such as 30s, 5m30s, 12h or 7d");
        return null;
    }

    public static string Text(TimeSpan duration) => Figures.Duration(duration);

    [GeneratedRegex("^(?:(?<d>[0-9]{1,4})d)?(?:(?<h>[0-9]{1,5})h)?(?:(?<m>[0-9]{1,6})m(?!s))?(?:(?<s>[0-9]{1,8})s)?(?:(?<ms>[0-9]{1,8})ms)?$")]
    private static partial Regex Shape();
}
