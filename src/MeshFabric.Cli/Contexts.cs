using System.Text.Json;

namespace MeshFabric.Cli;

/// <summary>A mesh that one can talk to.</summary>
sealed record MeshContext(string Server, string CertificateAuthority, string Token)
{
    public override string ToString() => $"MeshContext {{ Server = {Server} }}";
}

/// <summary>~/.config/meshfabric/config.json (XDG), mode 0600.</summary>
sealed record Contexts(string Current, Dictionary<string, MeshContext> All)
{
    static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static string FilePath => Environment.GetEnvironmentVariable("MESHFABRIC_CONFIG") is { Length: > 0 } file
        ? file
        : Path.Combine(Environment.GetEnvironmentVariable("XDG_CONFIG_HOME") is { Length: > 0 } xdg ? xdg : Path.Combine(Environment.GetFolderPath(Environment.SpecialFolder.UserProfile), ".config"), "meshfabric", "config.json");

    public static Contexts Load()
    {
        if (!File.Exists(FilePath))
        {
            return new Contexts("", []);
        }

        try
        {
            return JsonSerializer.Deserialize<Contexts>(File.ReadAllText(FilePath), Json) ?? new Contexts("", []);
        }
        catch (JsonException e)
        {
            throw new CommandException(ExitCode.Failed, $"{FilePath} is damaged ({e.Message}): mend or delete it, and log in again");
        }
    }

    public void Save()
    {
        Directory.CreateDirectory(Path.GetDirectoryName(FilePath)!);
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var stream = new FileStream(FilePath + ".new", options))
        {
            JsonSerializer.Serialize(stream, this, Json);
        }

        File.Move(FilePath + ".new", FilePath, overwrite: true);
    }

    public MeshContext Get(string? name)
    {
        var wanted = name ?? Current;
        return All.TryGetValue(wanted, out var context)
            ? context
            : throw new CommandException(ExitCode.NotAllowed, wanted.Length == 0 ? "not logged in: mfctl login https://HOST:8443 --token-file FILE --ca-file ca.crt" : $"there is no context '{wanted}': mfctl context list");
    }
}
