using System.CommandLine;
using System.Security.Cryptography;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli;

/// <summary>One run of a command: its values, its output, and the server it talks to.</summary>
class Invocation
{
    static readonly TimeSpan DefaultTimeout = TimeSpan.FromSeconds(60);
    readonly ParseResult _result;
    readonly GlobalOptions _global;

    public Invocation(Shell shell, GlobalOptions global, ParseResult result)
    {
        Shell = shell;
        _global = global;
        _result = result;
        var formats = result.CommandResult.Command is MeshCommand { ExtraFormats: var extra } ? [.. GlobalOptions.Formats, .. extra] : GlobalOptions.Formats;
        var format = Text(global.Format, GlobalOptions.FormatVariable) ?? formats[0];
        if (!formats.Contains(format))
        {
            throw CommandException.Usage($"-o {format}: one of {string.Join(", ", formats)} is needed");
        }

        Printer = new Printer(shell, format, Flag(global.NoHeaders, GlobalOptions.NoHeadersVariable), Flag(global.NoColor, GlobalOptions.NoColorVariable));
        Quiet = Flag(global.Quiet, GlobalOptions.QuietVariable);
    }

    public Shell Shell { get; }
    public Printer Printer { get; }
    public bool Quiet { get; }

    /// <summary>Limit of every wait.</summary>
    public TimeSpan Timeout => TimeoutOr(DefaultTimeout);

    /// <summary>Limit of a wait that is longer than others when nobody says otherwise.</summary>
    public TimeSpan TimeoutOr(TimeSpan fallback) => Get(_global.Timeout) ?? (Shell.Given(GlobalOptions.TimeoutVariable) is { } text ? Duration.Parse(text, GlobalOptions.TimeoutVariable) : fallback);

    public string? ServerGiven => Text(_global.Server, GlobalOptions.ServerVariable);
    public string? TokenFileGiven => Text(_global.TokenFile, GlobalOptions.TokenFileVariable);
    public string? AuthorityFileGiven => Text(_global.AuthorityFile, GlobalOptions.AuthorityFileVariable);

    public T? Get<T>(Option<T> option) => _result.GetValue(option);

    public T Get<T>(Argument<T> argument) => _result.GetValue(argument)!;

    /// <summary>True when the option is on the command line, whatever the environment says.</summary>
    public bool IsGiven(Option option) => _result.GetResult(option) is { Implicit: false };

    public string? TypedServer => Get(_global.Server);
    public string? TypedTokenFile => Get(_global.TokenFile);
    public string? TypedAuthorityFile => Get(_global.AuthorityFile);

    public string ContextName(Contexts contexts) => Text(_global.Context, GlobalOptions.ContextVariable) ?? contexts.Current;

    /// <summary>The context in use, with what the command line and the environment put in its place.</summary>
    public async Task<MeshContext> ContextAsync(CancellationToken cancellationToken)
    {
        var contexts = Contexts.Load(Shell);
        var name = ContextName(contexts);
        var stored = ServerGiven is not null && AuthorityFileGiven is not null && TokenFileGiven is not null && name.Length == 0 ? new MeshContext("", "", "") : contexts.Get(name);
        var context = new MeshContext(
            ServerGiven is { } server ? Url(server) : stored.Server,
            AuthorityFileGiven is { } authority ? await ReadAsync(authority, cancellationToken) : stored.CertificateAuthority,
            TokenFileGiven is { } token ? (await ReadAsync(token, cancellationToken)).Trim() : stored.Token);
        return context.Token.Length > 0
            ? context
            : throw new CommandException(ExitCode.NotAllowed, $"logged out of {context.Server}", $"mfctl login {context.Server} --token-file FILE{(name.Length > 0 ? $" --name {name}" : "")}");
    }

    public MeshClient Connect(MeshContext context)
    {
        try
        {
            return new MeshClient(new Uri(context.Server), context.CertificateAuthority, context.Token, Timeout);
        }
        catch (CryptographicException)
        {
            throw CommandException.Usage("the CA certificate is not PEM (-----BEGIN CERTIFICATE-----): give the mesh's with --ca-file");
        }
        catch (FormatException)
        {
            throw CommandException.Usage("the API token has characters that no token has: give the file that holds it with --token-file");
        }
    }

    public static string Url(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps && uri.Host.Length > 0
        ? text.TrimEnd('/')
        : throw CommandException.Usage($"'{text}' is not the URL of a control service: write https://HOST:8443");

    public async Task<string> ReadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            return file == "-" ? await Shell.In.ReadToEndAsync(cancellationToken) : await File.ReadAllTextAsync(file, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CommandException.Usage($"{file} cannot be read: {e.Message}");
        }
    }

    /// <summary>Progress, to stderr.</summary>
    public void Note(string text)
    {
        if (!Quiet)
        {
            Shell.Error.WriteLine(Printer.Clean(text));
        }
    }

    /// <summary>A numbered step of progress, to stderr.</summary>
    public void Step(int number, int of, string text) => Note($"[{number}/{of}] {text}");

    /// <summary>What a person must know, to stderr; --quiet does not hide it.</summary>
    public void Warn(string text) => Shell.Error.WriteLine($"mfctl: {Printer.Clean(text)}");

    /// <summary>Asks for the name of what is about to be cut off; without a terminal only --yes goes on.</summary>
    public async Task ConfirmAsync(bool yes, string what, string name, CancellationToken cancellationToken)
    {
        if (yes)
        {
            return;
        }

        if (!Shell.InputIsTerminal)
        {
            throw CommandException.Usage($"this {what} and standard input is no terminal: add --yes");
        }

        await Shell.Error.WriteAsync($"This {what}. Type {name} to go on: ");
        if ((await Shell.In.ReadLineAsync(cancellationToken))?.Trim() != name)
        {
            throw new CommandException(ExitCode.Failed, "not confirmed, nothing was changed");
        }
    }

    string? Text(Option<string?> option, string variable) => Get(option) ?? Shell.Given(variable);

    bool Flag(Option<bool> option, string variable) => Get(option) || (Shell.Given(variable) is { } text && text switch
    {
        "1" or "true" or "yes" => true,
        "0" or "false" or "no" => false,
        _ => throw CommandException.Usage($"{variable} '{text}' is not 1 or 0"),
    });
}

/// <summary>An invocation that is logged in.</summary>
sealed class Session(Shell shell, GlobalOptions global, ParseResult result, MeshContext context) : Invocation(shell, global, result), IDisposable
{
    MeshClient? _client;

    public MeshContext Context { get; } = context;

    public MeshClient Client => _client ??= Connect(Context);

    public void Dispose() => _client?.Dispose();
}
