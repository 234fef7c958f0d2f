using MeshFabric.Cli;
using MeshFabric.Server.Tests.Control;
using CommandLine = MeshFabric.Cli.Cli;

namespace MeshFabric.Server.Tests.Kubernetes;

/// <summary>mfctl in this process, logged in to a control service as its administrator.</summary>
sealed class Mfctl : IDisposable
{
    readonly string _directory = Directory.CreateTempSubdirectory("mf-mfctl-").FullName;

    public Mfctl(ControlService service) =>
        new Contexts("test", new Dictionary<string, MeshContext> { ["test"] = new(service.Url, service.Authority, service.AdminToken) }).Save(Shell(TextWriter.Null, TextWriter.Null));

    public async Task<(int Code, string Out, string Error)> RunAsync(params string[] args)
    {
        var (output, error) = (new StringWriter(), new StringWriter());
        var code = await new CommandLine(Shell(output, error)).RunAsync(args, TestContext.Current.CancellationToken);
        return (code, output.ToString(), error.ToString());
    }

    /// <summary>From now on its control service is at a port where nobody listens.</summary>
    public void LoseControl(ControlService service) =>
        new Contexts("test", new Dictionary<string, MeshContext> { ["test"] = new("https://127.0.0.1:9", service.Authority, service.AdminToken) }).Save(Shell(TextWriter.Null, TextWriter.Null));

    public void Dispose() => Directory.Delete(_directory, recursive: true);

    Shell Shell(TextWriter output, TextWriter error) => new(output, error, TextReader.Null, false, false, 120, name => name == "MESHFABRIC_CONFIG" ? Path.Combine(_directory, "config.json") : null, TimeProvider.System);
}
