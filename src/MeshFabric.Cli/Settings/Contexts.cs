using System.Text.Json;

namespace MeshFabric.Cli;

/// <summary>A mesh that one can talk to.</summary>
/// <param name="CertificateAuthority">PEM.</param>
/// <param name="Token">Empty after logout.</param>
sealed record MeshContext(string Server, string CertificateAuthority, string Token)
{
    public override string ToString() => $"MeshContext {{ Server = {Server} }}";
}

/// <summary>~/.config/meshfabric/config.json (XDG), mode 0600; MESHFABRIC_CONFIG names another file.</summary>
sealed record Contexts(string Current, Dictionary<string, MeshContext> All)
{
    static readonly JsonSerializerOptions Json = new(JsonSerializerDefaults.Web) { WriteIndented = true };

    public static string FilePath(Shell shell)
    {
        if (shell.Given("MESHFABRIC_CONFIG") is { } file)
        {
            return file;
        }

        var home = shell.Given("HOME") ?? Environment.GetFolderPath(Environment.SpecialFolder.UserProfile);
        return Path.Combine(shell.Given("XDG_CONFIG_HOME") ?? Path.Combine(home, ".config"), "meshfabric", "config.json");
    }

    public static Contexts Load(Shell shell)
    {
        var file = FilePath(shell);
        if (!File.Exists(file))
        {
            return new Contexts("", []);
        }

        try
        {
            return JsonSerializer.Deserialize<Contexts>(File.ReadAllText(file), Json) ?? new Contexts("", []);
        }
        catch (JsonException e)
        {
            throw new CommandException(ExitCode.Failed, $"{file} is damaged ({e.Message}): mend or delete it, and log in again");
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Failed, $"{file} cannot be read: {e.Message}");
        }
    }

    /// <summary>Writes the file; the last context takes the file along, and its folder when nothing else is there.</summary>
    public void Save(Shell shell)
    {
        var file = FilePath(shell);
        try
        {
            if (All.Count == 0)
            {
                Delete(file);
                return;
            }

            Directory.CreateDirectory(Path.GetDirectoryName(Path.GetFullPath(file))!);
            var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
            if (!OperatingSystem.IsWindows())
            {
                options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
            }

            using (var stream = new FileStream(file + ".new", options))
            {
                JsonSerializer.Serialize(stream, this, Json);
            }

            File.Move(file + ".new", file, overwrite: true);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw new CommandException(ExitCode.Failed, $"{file} cannot be written: {e.Message}");
        }
    }

    static void Delete(string file)
    {
        var folder = Path.GetDirectoryName(Path.GetFullPath(file))!;
        if (!Directory.Exists(folder))
        {
            return;
        }

        File.Delete(file);
        if (Path.GetFileName(folder) == "meshfabric" && !Directory.EnumerateFileSystemEntries(folder).Any())
        {
            Directory.Delete(folder);
        }
    }

    public MeshContext Get(string name) => All.TryGetValue(name, out var context)
        ? context
        : throw (name.Length == 0
            ? new CommandException(ExitCode.NotAllowed, "not logged in", "mfctl login https://HOST:8443 --token-file FILE --ca-file ca.crt")
            : new CommandException(ExitCode.NotFound, $"there is no context '{name}'", "mfctl context list"));
}
