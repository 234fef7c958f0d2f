using System.CommandLine;
using System.Reflection;
using MeshFabric.Cli.Commands;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli;

/// <summary>The command line: what it accepts, and how failures become messages and exit codes.</summary>
static class Cli
{
    static readonly Option<string?> Context = new("--context") { Description = "Context to use (MESHFABRIC_CONTEXT)", Recursive = true, DefaultValueFactory = _ => Environment.GetEnvironmentVariable("MESHFABRIC_CONTEXT") };
    static readonly Option<string> Format = new("--output", "-o") { Description = "table, json or yaml", Recursive = true, DefaultValueFactory = _ => "table" };
    static readonly Option<bool> Yes = new("--yes", "-y") { Description = "Do not ask" };
    static readonly Option<int> Timeout = new("--timeout") { Description = "Seconds to wait", DefaultValueFactory = _ => 60 };

    public static async Task<int> RunAsync(string[] args)
    {
        Format.AcceptOnlyFromAmong("table", "json", "yaml");
        var root = new RootCommand("Administers a MeshFabric mesh.\n\nExamples:\n  mfctl login https://mesh.example.org:8443 --token-file admin.token --ca-file ca.crt\n  mfctl cluster join aurora --inventory aurora.yaml --gateway gw1=198.51.100.1:51820 --via 'ssh root@{gateway}' --wait\n  mfctl status --wait\n\nExit codes: 0 ok, 1 failed, 2 usage, 3 not found, 4 not allowed, 5 conflict, 6 timed out, 7 unreachable")
        {
            Context, Format, Login(), ContextCommands(), ClusterCommands(), GatewayCommands(), TunnelCommands(), TokenCommands(), IpamCommands(), StatusCommand.Create(Run, Timeout), Diagnosis.Ping(Run), Diagnosis.Explain(Run), Events(), Version(),
        };
        var parsed = root.Parse(args);
        if (parsed.Errors.Count > 0)
        {
            await parsed.InvokeAsync();
            return ExitCode.Usage;
        }

        return await parsed.InvokeAsync(new InvocationConfiguration { EnableDefaultExceptionHandler = false });
    }

    /// <summary>Gives an action its client, and turns what goes wrong into a message and an exit code.</summary>
    public static Func<ParseResult, CancellationToken, Task<int>> Run(Func<ParseResult, MeshClient, string, CancellationToken, Task<int>> action) => Guard(async (result, cancellationToken) =>
    {
        var context = Contexts.Load().Get(result.GetValue(Context));
        using var client = new MeshClient(new Uri(context.Server), context.CertificateAuthority, context.Token);
        return await action(result, client, result.GetValue(Format)!, cancellationToken);
    });

    static Func<ParseResult, CancellationToken, Task<int>> Guard(Func<ParseResult, CancellationToken, Task<int>> action) => async (result, cancellationToken) =>
    {
        try
        {
            return await action(result, cancellationToken);
        }
        catch (CommandException e)
        {
            await Console.Error.WriteLineAsync($"mfctl: {e.Message}");
            return e.ExitCode;
        }
        catch (MeshApiException e)
        {
            var fields = e.Problem.Errors?.SelectMany(f => f.Value.Select(v => $"\n  {f.Key}: {v}")) ?? [];
            await Console.Error.WriteLineAsync($"mfctl: {(fields.Any() ? e.Problem.Title : e.Problem.Detail)}{string.Concat(fields)}\n  [{e.Problem.Code}, request {e.Problem.RequestId}]");
            return ExitCode.Of(e.Problem.Status);
        }
        catch (MeshUnreachableException e)
        {
            await Console.Error.WriteLineAsync($"mfctl: {e.Message}");
            return ExitCode.Unreachable;
        }
        catch (OperationCanceledException)
        {
            return ExitCode.Interrupted;
        }
    };

    static Command Login()
    {
        var server = new Argument<string>("server") { Description = "URL of the control service" };
        var tokenFile = new Option<string>("--token-file") { Description = "File with an API token, or - for standard input", Required = true };
        var authority = new Option<string>("--ca-file") { Description = "The mesh's CA, PEM", Required = true };
        var name = new Option<string>("--name") { Description = "Name of the context", DefaultValueFactory = _ => "default" };
        var command = new Command("login", "Log in: check a token and keep it in a context") { server, tokenFile, authority, name };
        command.SetAction(Guard(async (result, cancellationToken) =>
        {
            var file = result.GetValue(tokenFile)!;
            var token = (file == "-" ? await Console.In.ReadToEndAsync(cancellationToken) : await ReadAsync(file, cancellationToken)).Trim();
            var context = new MeshContext(Server(result.GetValue(server)!).TrimEnd('/'), await ReadAsync(result.GetValue(authority)!, cancellationToken), token);
            using var client = new MeshClient(new Uri(context.Server), context.CertificateAuthority, context.Token);
            var mesh = await client.GetMeshAsync(cancellationToken);
            var contexts = Contexts.Load();
            contexts.All[result.GetValue(name)!] = context;
            (contexts with { Current = result.GetValue(name)! }).Save();
            await Console.Error.WriteLineAsync($"logged in to {context.Server} ({mesh.Clusters} clusters), context {result.GetValue(name)}");
            return ExitCode.Ok;
        }));
        return command;
    }

    static string Server(string text) => Uri.TryCreate(text, UriKind.Absolute, out var uri) && uri.Scheme == Uri.UriSchemeHttps
        ? text
        : throw new CommandException(ExitCode.Usage, $"'{text}' is not the URL of a control service: write https://HOST:8443");

    static async Task<string> ReadAsync(string file, CancellationToken cancellationToken)
    {
        try
        {
            return await File.ReadAllTextAsync(file, cancellationToken);
        }
        catch (IOException e)
        {
            throw new CommandException(ExitCode.Usage, e.Message);
        }
    }

    static Command ContextCommands()
    {
        var list = new Command("list", "List contexts");
        list.SetAction(Guard((result, _) =>
        {
            var contexts = Contexts.Load();
            Printer.Print(result.GetValue(Format)!, contexts.All.ToDictionary(c => c.Key, c => c.Value.Server), ["CURRENT", "NAME", "SERVER"],
                contexts.All.OrderBy(c => c.Key, StringComparer.Ordinal).Select(c => new[] { c.Key == contexts.Current ? "*" : "", c.Key, c.Value.Server }));
            return Task.FromResult(ExitCode.Ok);
        }));
        var name = new Argument<string>("name");
        var use = new Command("use", "Make a context the current one") { name };
        use.SetAction(Guard((result, _) =>
        {
            var contexts = Contexts.Load();
            contexts.Get(result.GetValue(name));
            (contexts with { Current = result.GetValue(name)! }).Save();
            return Task.FromResult(ExitCode.Ok);
        }));
        var delete = new Command("delete", "Forget a context") { name };
        delete.SetAction(Guard((result, _) =>
        {
            var contexts = Contexts.Load();
            contexts.All.Remove(result.GetValue(name)!);
            (contexts.Current == result.GetValue(name) ? contexts with { Current = contexts.All.Keys.FirstOrDefault("") } : contexts).Save();
            return Task.FromResult(ExitCode.Ok);
        }));
        return new Command("context", "Meshes one is logged in to") { list, use, delete };
    }

    static Command ClusterCommands()
    {
        var name = new Argument<string>("name") { Description = "Name of the cluster" };
        var list = new Command("list", "List clusters");
        list.SetAction(Run(async (_, client, format, cancellationToken) =>
        {
            var clusters = await client.ListAsync<ClusterResource>("clusters", cancellationToken);
            Printer.Print(format, clusters, ["NAME", "STATE", "PROVIDER", "REGION", "GATEWAYS", "TUNNELS", "PREFIXES"], clusters.Select(Row));
            return ExitCode.Ok;
        }));
        var get = new Command("get", "Show one cluster") { name };
        get.SetAction(Run(async (result, client, format, cancellationToken) =>
        {
            var cluster = await client.GetClusterAsync(result.GetValue(name)!, cancellationToken);
            Printer.Print(format, cluster, ["NAME", "STATE", "PROVIDER", "REGION", "GATEWAYS", "TUNNELS", "PREFIXES"], [Row(cluster)]);
            return ExitCode.Ok;
        }));
        var remove = new Command("remove", "Remove a cluster from the mesh: it is cut off everywhere at once") { name, Yes };
        remove.SetAction(Run(async (result, client, _, cancellationToken) =>
        {
            var cluster = result.GetValue(name)!;
            Confirm(result.GetValue(Yes), cluster);
            await client.DeleteClusterAsync(cluster, cancellationToken);
            await Console.Error.WriteLineAsync($"cluster {cluster} is removed and cut off");
            return ExitCode.Ok;
        }));
        return new Command("cluster", "Clusters of the mesh") { Join(), list, get, remove };

        static string[] Row(ClusterResource c) =>
        [
            c.Metadata.Name, c.Status.State, c.Spec.Provider, c.Spec.Region, $"{c.Status.GatewaysConnected}/{c.Status.Gateways}", $"{c.Status.TunnelsConnected}/{c.Status.TunnelsWanted}",
            string.Join(",", c.Status.Prefixes.Select(p => p.IsRemapped ? $"{p.Local} as {p.Mesh}" : p.Alias is null ? $"{p.Local}" : $"{p.Local} (alias {p.Alias})")),
        ];
    }

    static void Confirm(bool yes, string name)
    {
        if (yes)
        {
            return;
        }

        if (Console.IsInputRedirected)
        {
            throw new CommandException(ExitCode.Usage, "this cuts a cluster off and standard input is no terminal: add --yes");
        }

        Console.Error.Write($"This cuts {name} off. Type its name to go on: ");
        if (Console.ReadLine()?.Trim() != name)
        {
            throw new CommandException(ExitCode.Failed, "not confirmed, nothing was changed");
        }
    }

    static Command Join()
    {
        var name = new Argument<string>("name") { Description = "Name of the new cluster" };
        var inventory = new Option<string>("--inventory") { Description = "Inventory file (YAML)", Required = true };
        var gateways = new Option<string[]>("--gateway") { Description = "NAME=ADDRESS:PORT of a gateway; repeat for several", Required = true };
        var via = new Option<string?>("--via") { Description = "Command that runs a command on a gateway, such as 'ssh root@{gateway}'; without it the command to run is printed" };
        var agent = new Option<string>("--agent") { Description = "The agent's program on the gateways", DefaultValueFactory = _ => "meshfabric-agent" };
        var state = new Option<string?>("--state") { Description = "The agent's state directory on the gateways; may contain {gateway}" };
        var wait = new Option<bool>("--wait") { Description = "Wait until the tunnels are connected" };
        var command = new Command("join", "Join a cluster: check its addresses, create it, enrol its gateways\n\nExample:\n  mfctl cluster join aurora --inventory aurora.yaml --gateway gw1=198.51.100.1:51820 --via 'ssh root@{gateway}' --wait")
        {
            name, inventory, gateways, via, agent, state, wait, Timeout,
        };
        command.SetAction(Run((result, client, _, cancellationToken) =>
        {
            var parsed = result.GetValue(gateways)!.Select(g => g.Split('=', 2)).ToList();
            if (parsed.Find(p => p.Length != 2) is { } bad)
            {
                throw new CommandException(ExitCode.Usage, $"--gateway {bad[0]}: write NAME=ADDRESS:PORT, such as gw1=198.51.100.1:51820");
            }

            return ClusterJoin.RunAsync(client, new JoinRequest(result.GetValue(name)!, result.GetValue(inventory)!, parsed.Select(p => (p[0], p[1])).ToList(), result.GetValue(via),
                result.GetValue(agent)!, result.GetValue(state), result.GetValue(wait), TimeSpan.FromSeconds(result.GetValue(Timeout))), cancellationToken);
        }));
        return command;
    }

    static Command GatewayCommands()
    {
        var list = new Command("list", "List gateways");
        list.SetAction(Run(async (_, client, format, cancellationToken) =>
        {
            var gateways = await client.ListAsync<GatewayResource>("gateways", cancellationToken);
            Printer.Print(format, gateways, ["CLUSTER", "GATEWAY", "STATE", "BACKEND", "TUNNELS", "REVISION", "ENDPOINTS", "VERSION"], gateways.Select(g => new[]
            {
                g.Spec.Cluster, g.Spec.Name, g.Status.State, g.Status.Backend, $"{g.Status.TunnelsConnected}/{g.Status.TunnelsWanted}", $"{g.Status.AppliedRevision}", string.Join(",", g.Spec.Endpoints), g.Status.AgentVersion,
            }));
            return ExitCode.Ok;
        }));
        return new Command("gateway", "Gateways of the clusters") { list };
    }

    static Command TunnelCommands()
    {
        var list = new Command("list", "List tunnels");
        list.SetAction(Run(async (_, client, format, cancellationToken) =>
        {
            var tunnels = await client.ListAsync<TunnelResource>("tunnels", cancellationToken);
            Printer.Print(format, tunnels, ["A", "B", "STATE", "PATH", "RTT", "LOSS", "ENDPOINT-A", "ENDPOINT-B"], tunnels.Select(t => new[]
            {
                $"{t.Spec.A.Cluster}/{t.Spec.A.Gateway}", $"{t.Spec.B.Cluster}/{t.Spec.B.Gateway}", t.Status.State, t.Status.Path,
                (t.Status.A ?? t.Status.B)?.RttSeconds is { } rtt ? $"{rtt * 1000:0.0} ms" : "-", (t.Status.A ?? t.Status.B)?.LossRatio is { } loss ? $"{loss:P0}" : "-",
                $"{t.Status.B?.Endpoint}", $"{t.Status.A?.Endpoint}",
            }));
            return ExitCode.Ok;
        }));
        return new Command("tunnel", "Tunnels between gateways") { list };
    }

    static Command TokenCommands()
    {
        var cluster = new Option<string?>("--cluster") { Description = "The one cluster it admits gateways to; without it: one new cluster" };
        var expires = new Option<int>("--expires") { Description = "Seconds it is valid", DefaultValueFactory = _ => 900 };
        var uses = new Option<int>("--max-uses") { Description = "Gateways it admits", DefaultValueFactory = _ => 1 };
        var create = new Command("create", "Make a join token; it is shown once") { cluster, expires, uses };
        create.SetAction(Run(async (result, client, format, cancellationToken) =>
        {
            var token = await client.CreateJoinTokenAsync(new CreateJoinToken(result.GetValue(cluster), result.GetValue(expires), result.GetValue(uses), null), cancellationToken);
            if (format == "table")
            {
                Console.WriteLine(token.Status.Token);
            }
            else
            {
                Printer.Print(format, token, [], []);
            }

            return ExitCode.Ok;
        }));
        var list = new Command("list", "List join tokens");
        list.SetAction(Run(async (_, client, format, cancellationToken) =>
        {
            var tokens = await client.ListAsync<JoinTokenResource>("join-tokens", cancellationToken);
            Printer.Print(format, tokens, ["ID", "STATE", "CLUSTER", "USES", "EXPIRES"], tokens.Select(t => new[] { t.Metadata.Name, t.Status.State, t.Spec.Cluster, $"{t.Status.Uses}/{t.Spec.MaxUses}", $"{t.Spec.ExpiresAt:u}" }));
            return ExitCode.Ok;
        }));
        var id = new Argument<string>("id");
        var revoke = new Command("revoke", "Make a join token useless") { id };
        revoke.SetAction(Run(async (result, client, _, cancellationToken) =>
        {
            await client.RevokeJoinTokenAsync(result.GetValue(id)!, cancellationToken);
            return ExitCode.Ok;
        }));
        return new Command("token", "Join tokens") { create, list, revoke };
    }

    static Command IpamCommands()
    {
        var allocations = new Command("allocations", "List the prefixes in use");
        allocations.SetAction(Run(async (_, client, format, cancellationToken) =>
        {
            var prefixes = await client.ListAsync<PrefixResource>("prefixes", cancellationToken);
            Printer.Print(format, prefixes, ["CLUSTER", "PURPOSE", "LOCAL", "MESH", "REMAPPED"], prefixes.Select(p => new[] { p.Cluster, p.Purpose, $"{p.Local}", $"{p.Mesh}", p.Remapped ? "yes" : "no" }));
            return ExitCode.Ok;
        }));
        var pools = new Command("pools", "List the pools that prefixes are taken from");
        pools.SetAction(Run(async (_, client, format, cancellationToken) =>
        {
            var list = await client.ListAsync<AddressPoolResource>("address-pools", cancellationToken);
            Printer.Print(format, list, ["POOL", "PURPOSE", "ALLOCATIONS", "USED"], list.Select(p => new[] { $"{p.Cidr}", p.Purpose, $"{p.Allocations}", $"{p.UsedRatio:P1}" }));
            return ExitCode.Ok;
        }));
        var conflicts = new Command("conflicts", "List CIDRs that several clusters use, and how it was solved");
        conflicts.SetAction(Run(async (_, client, format, cancellationToken) =>
        {
            var list = await client.ListAsync<AddressConflictResource>("address-conflicts", cancellationToken);
            Printer.Print(format, list, ["CLUSTER", "LOCAL", "OVERLAPS", "RESOLUTION"], list.Select(c => new[] { c.Cluster, $"{c.Local}", $"{c.OverlapsLocal} of {c.OverlapsCluster}", c.Resolution }));
            return ExitCode.Ok;
        }));
        var cidrs = new Option<string[]>("--pod-cidr") { Description = "CIDR to check; repeat for several" };
        var length = new Option<int?>("--length") { Description = "Without --pod-cidr: propose a free CIDR of this length" };
        var plan = new Command("plan", "Show what would happen to a new cluster's CIDRs, or propose a free one; changes nothing") { cidrs, length };
        plan.SetAction(Run(async (result, client, format, cancellationToken) =>
        {
            var asked = result.GetValue(cidrs) is { Length: > 0 } given ? given : null;
            var answer = await client.PlanAddressesAsync(new CreateAddressPlan(asked, asked is null ? result.GetValue(length) ?? 16 : null, null), cancellationToken);
            Printer.Print(format, answer, ["LOCAL", "MESH", "REMAPPED"], answer.Suggestion is { } free ? [[$"{free}", $"{free}", "no"]] : answer.Prefixes.Select(p => new[] { $"{p.Local}", $"{p.Mesh}", p.IsRemapped ? "yes" : "no" }));
            return answer.Findings.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
        }));
        return new Command("ipam", "The address plan") { pools, allocations, conflicts, plan };
    }

    static Command Events()
    {
        var command = new Command("events", "List what happened");
        command.SetAction(Run(async (_, client, format, cancellationToken) =>
        {
            var page = await client.GetAsync<Page<EventResource>>("events?limit=200", cancellationToken);
            Printer.Print(format, page.Items, ["AT", "SEVERITY", "TYPE", "SUBJECT", "MESSAGE"], page.Items.Select(e => new[] { $"{e.At:u}", e.Severity, e.Type, e.Subject, e.Message }));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Version()
    {
        var command = new Command("version", "Show the version");
        command.SetAction(_ => Console.WriteLine($"mfctl {typeof(Cli).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion}"));
        return command;
    }
}
