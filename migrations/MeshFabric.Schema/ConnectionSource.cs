using System.Text.Json;

namespace MeshFabric.Schema;

/// <summary>Where the connection string comes from. A command line can be read by every user of the host: a password belongs into the file or the environment.</summary>
public static class ConnectionSource
{
    public const string Variable = "MESHFABRIC_Database__ConnectionString";

    /// <param name="given">By option; wins.</param>
    /// <param name="config">The control service's own configuration file; wins over the environment.</param>
    /// <exception cref="FormatException">The file is not JSON, or does not name a database.</exception>
    /// <exception cref="IOException">The file cannot be read.</exception>
    public static string? Find(string? given, FileInfo? config, Func<string, string?> variable)
    {
        if (!string.IsNullOrWhiteSpace(given))
        {
            return given;
        }

        return config is null ? variable(Variable) : Read(config);
    }

    static string Read(FileInfo config)
    {
        try
        {
            using var file = config.OpenRead();
            using var json = JsonDocument.Parse(file);
            return json.RootElement.GetProperty("Database").GetProperty("ConnectionString").GetString() ?? throw new KeyNotFoundException();
        }
        catch (Exception e) when (e is KeyNotFoundException or InvalidOperationException)
        {
            throw new FormatException($"{config.FullName} has no text at Database:ConnectionString");
        }
        catch (JsonException e)
        {
            throw new FormatException($"{config.FullName} is not JSON: {e.Message}");
        }
    }
}
