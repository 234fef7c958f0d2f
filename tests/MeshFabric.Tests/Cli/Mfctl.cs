using System.Diagnostics;
using MeshFabric.Cli;
using CommandLine = MeshFabric.Cli.Cli;

namespace MeshFabric.Tests.Cli;

/// <summary>What a run of mfctl ended with; the server's port is replaced by a fixed name.</summary>
sealed record Ran(int Code, string Out, string Error)
{
    public override string ToString() => $"exit {Code}\n--- stdout\n{Out}--- stderr\n{Error}";
}

/// <summary>Runs mfctl: in this process, which is quick, or as a program of its own.</summary>
sealed class Mfctl : IDisposable
{
    readonly string _directory = Directory.CreateTempSubdirectory("mfctl-").FullName;
    readonly FakeMesh? _mesh;

    /// <param name="mesh">Logged in to it in context <c>test</c>; null: to none.</param>
    public Mfctl(FakeMesh? mesh)
    {
        _mesh = mesh;
        if (mesh is not null)
        {
            new Contexts("test", new Dictionary<string, MeshContext> { ["test"] = new(mesh.Url.ToString().TrimEnd('/'), FakeMesh.Authority, FakeMesh.Token) }).Save(Shell(new StringWriter(), new StringWriter()));
        }
    }

    public Dictionary<string, string> Variables { get; } = [];
    public string Input { get; set; } = "";
    public bool OutputIsTerminal { get; set; }
    public bool InputIsTerminal { get; set; }
    public int Width { get; set; } = 120;

    public string Config => PathOf("config.json");

    public string PathOf(string file) => Path.Combine(_directory, file);

    public string Write(string file, string text)
    {
        File.WriteAllText(PathOf(file), text);
        return PathOf(file);
    }

    public async Task<Ran> RunAsync(params string[] args)
    {
        var (output, error) = (new StringWriter { NewLine = "\n" }, new StringWriter { NewLine = "\n" });
        var code = await new CommandLine(Shell(output, error)).RunAsync(args, TestContext.Current.CancellationToken);
        return new Ran(code, Stable(output.ToString()), Stable(error.ToString()));
    }

    /// <summary>By the words of one line, which are separated by single spaces.</summary>
    public Task<Ran> LineAsync(string line) => RunAsync(line.Split(' ', StringSplitOptions.RemoveEmptyEntries));

    /// <summary>As a process; a started one can be sent signals.</summary>
    public Process Start(params string[] args)
    {
        var start = new ProcessStartInfo(Executable, args) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        foreach (var variable in start.Environment.Keys.Where(k => k.StartsWith("MESHFABRIC_", StringComparison.Ordinal)).ToList())
        {
            start.Environment.Remove(variable);
        }

        start.Environment["MESHFABRIC_CONFIG"] = Config;
        foreach (var (name, value) in Variables)
        {
            start.Environment[name] = value;
        }

        return Process.Start(start)!;
    }

    public async Task<Ran> RunProcessAsync(params string[] args)
    {
        using var process = Start(args);
        await process.StandardInput.WriteAsync(Input);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(TestContext.Current.CancellationToken);
        var error = process.StandardError.ReadToEndAsync(TestContext.Current.CancellationToken);
        await process.WaitForExitAsync(TestContext.Current.CancellationToken);
        return new Ran(process.ExitCode, Stable(await output), Stable(await error));
    }

    /// <summary>The program, beside the tests.</summary>
    public static string Executable => Path.Combine(AppContext.BaseDirectory, "mfctl");

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    string Stable(string text) => _mesh is null ? text : text.Replace(_mesh.Url.Authority, "mesh.test:8443", StringComparison.Ordinal).Replace(_directory, "DIR", StringComparison.Ordinal);

    Shell Shell(TextWriter output, TextWriter error) => new(output, error, new StringReader(Input), OutputIsTerminal, InputIsTerminal, Width,
        name => Variables.TryGetValue(name, out var value) ? value : name == "MESHFABRIC_CONFIG" ? Config : null, new StoppedClock());

    /// <summary>Tells always the same time; timers run.</summary>
    sealed class StoppedClock : TimeProvider
    {
        public override DateTimeOffset GetUtcNow() => Canned.Now;
    }
}
