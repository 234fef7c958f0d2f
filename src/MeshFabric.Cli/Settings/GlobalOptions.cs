using System.CommandLine;

namespace MeshFabric.Cli;

/// <summary>Options of every command, each with its twin in the environment. The command line wins.</summary>
sealed class GlobalOptions
{
    public const string ContextVariable = "MESHFABRIC_CONTEXT";
    public const string ServerVariable = "MESHFABRIC_SERVER";
    public const string TokenFileVariable = "MESHFABRIC_TOKEN_FILE";
    public const string AuthorityFileVariable = "MESHFABRIC_CA_FILE";
    public const string FormatVariable = "MESHFABRIC_OUTPUT";
    public const string NoHeadersVariable = "MESHFABRIC_NO_HEADERS";
    public const string NoColorVariable = "MESHFABRIC_NO_COLOR";
    public const string QuietVariable = "MESHFABRIC_QUIET";
    public const string TimeoutVariable = "MESHFABRIC_TIMEOUT";

    public static readonly string[] Formats = ["table", "wide", "json", "yaml", "name"];

    public Option<string?> Context { get; } = Text("--context", "NAME", "Context to use instead of the current one", ContextVariable);
    public Option<string?> Server { get; } = Text("--server", "URL", "Control service to talk to instead of the context's", ServerVariable);
    public Option<string?> TokenFile { get; } = Text("--token-file", "FILE", "File with an API token, or - for standard input", TokenFileVariable);
    public Option<string?> AuthorityFile { get; } = Text("--ca-file", "FILE", "The mesh's CA certificate, PEM", AuthorityFileVariable);
    public Option<string?> Format { get; } = new("--output", "-o") { HelpName = "FORMAT", Description = $"table (default), wide, json, yaml or name ({FormatVariable})", Recursive = true };
    public Option<bool> NoHeaders { get; } = new("--no-headers") { Description = $"Tables without their first line ({NoHeadersVariable})", Recursive = true };
    public Option<bool> NoColor { get; } = new("--no-color") { Description = $"No colours; NO_COLOR does the same ({NoColorVariable})", Recursive = true };
    public Option<bool> Quiet { get; } = new("--quiet", "-q") { Description = $"No progress and notes ({QuietVariable})", Recursive = true };
    public Option<TimeSpan?> Timeout { get; } = new("--timeout") { HelpName = "DURATION", Description = $"Limit of every wait, and of every answer of the server: 90, 30s, 5m30s; default 60s ({TimeoutVariable})", Recursive = true, CustomParser = Duration.Parse };

    public IEnumerable<Option> All => [Context, Server, TokenFile, AuthorityFile, Format, NoHeaders, NoColor, Quiet, Timeout];

    public GlobalOptions() => Format.CompletionSources.Add(Formats);

    static Option<string?> Text(string name, string value, string description, string variable) => new(name) { HelpName = value, Description = $"{description} ({variable})", Recursive = true };
}
