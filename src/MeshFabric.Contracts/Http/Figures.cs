using System.Globalization;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Contracts.Http;

/// <summary>Figures as the API's clients show them to people.</summary>
public static class Figures
{
    static readonly string[] Units = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

    public static string Milliseconds(double? seconds) => seconds is { } s ? string.Create(CultureInfo.InvariantCulture, $"{s * 1000:0.0} ms") : "";

    public static string Percent(double? ratio) => ratio is { } r ? string.Create(CultureInfo.InvariantCulture, $"{r * 100:0.#}%") : "";

    public static string Bytes(ulong bytes)
    {
        var unit = 0;
        double value = bytes;
        for (; value >= 1024 && unit < Units.Length - 1; unit++)
        {
            value /= 1024;
        }

        return string.Create(CultureInfo.InvariantCulture, $"{value:0.#} {Units[unit]}");
    }

    public static string At(DateTimeOffset? time) => time is { } t ? t.ToString("yyyy-MM-dd'T'HH:mm:ss'Z'", CultureInfo.InvariantCulture) : "";

    public static string Ago(DateTimeOffset? time, DateTimeOffset now) => time is { } t ? $"{Duration(now > t ? now - t : TimeSpan.Zero)} ago" : "never";

    public static string Duration(TimeSpan duration) => duration switch
    {
        { TotalSeconds: < 10 } => string.Create(CultureInfo.InvariantCulture, $"{duration.TotalSeconds:0.#}s"),
        { TotalMinutes: < 1 } => $"{(int)duration.TotalSeconds}s",
        { TotalHours: < 1 } => $"{duration.Minutes}m{duration.Seconds}s",
        { TotalDays: < 1 } => $"{duration.Hours}h{duration.Minutes}m",
        _ => $"{(int)duration.TotalDays}d{duration.Hours}h",
    };

    /// <summary>A cluster's prefix, and what it is in the mesh where that is another one.</summary>
    public static string Prefix(MeshPrefix prefix) =>
        prefix.Services ? $"{prefix.Local} as {prefix.Mesh} (Services)" : prefix.IsRemapped ? $"{prefix.Local} as {prefix.Mesh}" : prefix.Alias is null ? $"{prefix.Local}" : $"{prefix.Local} (alias {prefix.Alias})";

    /// <summary>Those that are not empty, with spaces between them.</summary>
    public static string Words(params string[] words) => string.Join(' ', words.Where(w => w.Length > 0));
}
