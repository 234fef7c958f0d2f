using System.Globalization;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli;

/// <summary>What is told when a command fails: what, where, what to run next, and by which id the server's log has it.</summary>
sealed record Failure(int ExitCode, string Text)
{
    public static Failure Of(Exception exception) => exception switch
    {
        CommandException e => new Failure(e.ExitCode, Lines(e.Message, "", e.Next, "")),
        MeshUnreachableException e => new Failure(MeshFabric.Cli.ExitCode.Unreachable, Lines(e.Message, "", $"is the service up and its port open? curl -k {e.Server}livez", "")),
        MeshApiException e => Of(e),
        _ => new Failure(MeshFabric.Cli.ExitCode.Failed, Lines(exception.Message, "", "", "")),
    };

    static Failure Of(MeshApiException exception)
    {
        var problem = exception.Problem;
        var fields = problem.Errors?.SelectMany(f => f.Value.Select(v => $"\n  {Printer.Clean(f.Key)}: {Printer.Clean(v)}")) ?? [];
        var text = (fields.Any() ? problem.Title : problem.Detail) is { Length: > 0 } said ? said : string.Create(CultureInfo.InvariantCulture, $"the server answered with status {problem.Status}");
        return new Failure(
            MeshFabric.Cli.ExitCode.Of(problem.Status),
            Lines(text, string.Concat(fields), Next(problem), $"{exception.Server.Authority}/tcp, status {problem.Status}, {problem.Code}, request {(problem.RequestId.Length > 0 ? problem.RequestId : "unknown")}"));
    }

    // What the server's own text does not say already.
    static string Next(Problem problem) => problem.Status switch
    {
        403 => "mfctl whoami",
        409 when problem.Code is "cluster-exists" => "mfctl cluster list",
        500 => $"look for request {problem.RequestId} in the control service's log",
        503 => "the same command again in a while; mfctl version",
        _ => "",
    };

    static string Lines(string what, string fields, string next, string where) =>
        $"mfctl: {Printer.Clean(what)}{fields}{(where.Length > 0 ? $"\n  at: {Printer.Clean(where)}" : "")}{(next.Length > 0 ? $"\n  next: {Printer.Clean(next)}" : "")}";
}
