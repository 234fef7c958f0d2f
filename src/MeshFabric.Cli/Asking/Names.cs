using System.CommandLine;
using System.CommandLine.Completions;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Asking;

/// <summary>Names of what is on the server, for the completion of a command line. What cannot be asked in time completes to nothing.</summary>
sealed class Names(Cli cli)
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(2);

    public Func<CompletionContext, IEnumerable<CompletionItem>> Clusters => Ask(async (client, cancel) =>
        (await client.ListAsync<ClusterResource>("clusters", cancel)).Select(c => c.Metadata.Name));

    public Func<CompletionContext, IEnumerable<CompletionItem>> Gateways => Ask(async (client, cancel) =>
        (await client.ListAsync<GatewayResource>("gateways", cancel)).Select(g => g.Metadata.Name));

    public Func<CompletionContext, IEnumerable<CompletionItem>> Tunnels => Ask(async (client, cancel) =>
        (await client.ListAsync<TunnelResource>("tunnels", cancel)).Select(t => t.Metadata.Name));

    public Func<CompletionContext, IEnumerable<CompletionItem>> JoinTokens => Ask(async (client, cancel) =>
        (await client.ListAsync<JoinTokenResource>("join-tokens", cancel)).Where(t => t.Status.State == "active").Select(t => t.Metadata.Name));

    public Func<CompletionContext, IEnumerable<CompletionItem>> ApiTokens => Ask(async (client, cancel) =>
        (await client.ListAsync<ApiTokenResource>("api-tokens", cancel)).Where(t => t.Status.State == "active").Select(t => t.Metadata.Name));

    public Func<CompletionContext, IEnumerable<CompletionItem>> Contexts => _ => MeshFabric.Cli.Contexts.Load(cli.Shell).All.Keys.Select(n => new CompletionItem(n));

    /// <summary>The last word of a command line, completed: commands, options, values and names that begin as it does.</summary>
    /// <param name="line">Up to the cursor, with the program's name.</param>
    public IEnumerable<string> Complete(string line)
    {
        var trimmed = line.TrimStart();
        var space = trimmed.IndexOf(' ', StringComparison.Ordinal);
        if (space < 0)
        {
            return [];
        }

        var rest = trimmed[(space + 1)..];
        var word = rest[(rest.LastIndexOf(' ') + 1)..];
        return cli.Root.Parse(rest).GetCompletions(rest.Length)
            .Select(c => c.InsertText ?? c.Label)
            .Where(c => c.StartsWith(word, StringComparison.Ordinal) && (word.StartsWith('-') || !c.StartsWith('-')))
            .Distinct().Order(StringComparer.Ordinal);
    }

    Func<CompletionContext, IEnumerable<CompletionItem>> Ask(Func<MeshClient, CancellationToken, Task<IEnumerable<string>>> ask) => context =>
    {
        try
        {
            return Task.Run(() => AskAsync(context.ParseResult, ask)).GetAwaiter().GetResult().Select(n => new CompletionItem(n));
        }
        catch (Exception e) when (e is CommandException or MeshApiException or MeshUnreachableException or OperationCanceledException)
        {
            return [];
        }
    };

    async Task<IEnumerable<string>> AskAsync(ParseResult parsed, Func<MeshClient, CancellationToken, Task<IEnumerable<string>>> ask)
    {
        using var limit = new CancellationTokenSource(Patience);
        var context = await new Invocation(cli.Shell, cli.Global, parsed).ContextAsync(limit.Token);
        using var session = new Session(cli.Shell, cli.Global, parsed, context);
        return await ask(session.Client, limit.Token);
    }
}
