using System.Globalization;

namespace MeshFabric.Cli.Output;

/// <summary>Figures as tables show them.</summary>
static class Figures
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

    public static string Ago(DateTimeOffset? time, DateTimeOffset now) => time is { } t ? $"{Duration.Text(now > t ? now - t : TimeSpan.Zero)} ago" : "never";
}
