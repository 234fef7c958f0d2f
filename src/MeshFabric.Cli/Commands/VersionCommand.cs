using System.CommandLine;
using System.Reflection;
using MeshFabric.Cli.Output;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl version</c>: of this program and of the server.</summary>
static class VersionCommand
{
    sealed record Component(string Name, string Version, string? ApiVersion, string? Server);

    static readonly View<Component> View = new(c => $"version/{c.Version}",
        new("COMPONENT", c => c.Name),
        new("VERSION", c => c.Version),
        new("API", c => c.ApiVersion ?? ""),
        new("SERVER", c => c.Server ?? "", Wide: true));

    public static string Own => typeof(VersionCommand).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";

    public static Command Create(Cli cli)
    {
        var client = new Option<bool>("--client") { Description = "Only this program's; asks no server" };
        var command = new MeshCommand("version", "Show the version of this program and of the control service", "mfctl version", "mfctl version --client -o json") { client };
        command.SetAction(cli.Local(async (run, cancellationToken) =>
        {
            var components = new List<Component> { new("mfctl", Own, Contracts.Http.Api.Version, null) };
            try
            {
                if (run.Get(client))
                {
                    return ExitCode.Ok;
                }

                if (run.ServerGiven is null && run.ContextName(Contexts.Load(run.Shell)).Length == 0)
                {
                    run.Note("not logged in: the control service's version is not known");
                }
                else
                {
                    var context = await run.ContextAsync(cancellationToken);
                    using var http = run.Connect(context);
                    var version = await http.GetVersionAsync(cancellationToken);
                    components.Add(new("control", version.Version, version.ApiVersion, context.Server));
                }
            }
            finally
            {
                run.Printer.List(View, components);
            }

            return ExitCode.Ok;
        }));
        return command;
    }
}
