using System.Diagnostics;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Cli.Commands;

/// <param name="Endpoint">ADDRESS:PORT; null: it only dials out.</param>
sealed record JoinGateway(string Name, string? Endpoint);

/// <param name="Source">Words for the agents: where they read the cluster's inventory from then on.</param>
/// <param name="Via">How to run commands on a gateway; null prints what to run there.</param>
sealed record JoinRequest(CreateCluster Cluster, IReadOnlyList<JoinGateway> Gateways, IReadOnlyList<string> Source, Remote? Via, string Agent, string? State, bool Wait)
{
    public string Name => Cluster.Name;
}

/// <summary>Joins a cluster as a person would: check, create, enrol each gateway, wait.</summary>
static class ClusterJoin
{
    const int TokenSeconds = 900;
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(200);

    public static readonly View<MeshPrefix> Plan = new(p => $"prefix/{p.Mesh}",
        new("LOCAL", p => $"{p.Local}"),
        new("MESH", p => $"{p.Mesh}"),
        new("REMAPPED", p => p.IsRemapped ? "yes" : "no"));

    /// <summary>Only the address plan.</summary>
    public static async Task<int> PlanAsync(Session session, JoinRequest request, CancellationToken cancellationToken)
    {
        await RefuseExistingAsync(session, request.Name, cancellationToken);
        var plan = await AddressesAsync(session, request, cancellationToken);
        session.Printer.Print(Plan, plan, plan.Prefixes);
        session.Note("nothing was changed");
        return plan.Findings.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
    }

    public static async Task<int> RunAsync(Session session, JoinRequest request, CancellationToken cancellationToken)
    {
        var steps = 2 + request.Gateways.Count + (request.Wait ? 1 : 0);
        session.Step(1, steps, $"checking the addresses of {request.Name}");
        await AddressesAsync(session, request, cancellationToken);

        session.Step(2, steps, $"creating cluster {request.Name}");
        await session.Client.CreateClusterAsync(request.Cluster, cancellationToken);
        var token = await session.Client.CreateJoinTokenAsync(new CreateJoinToken(request.Name, TokenSeconds, request.Gateways.Count, $"mfctl cluster join {request.Name}"), cancellationToken);

        var failed = new List<string>();
        foreach (var (gateway, i) in request.Gateways.Select((g, i) => (g, i)))
        {
            session.Step(3 + i, steps, $"enrolling {gateway.Name}");
            if (await EnrolAsync(session, request, gateway, token.Status.Token!, cancellationToken) is { } reason)
            {
                failed.Add(gateway.Name);
                session.Warn($"enrolling {gateway.Name} failed: {reason}");
            }
        }

        if (failed.Count > 0)
        {
            throw new CommandException(ExitCode.PartlyDone, $"cluster {request.Name} exists, but {string.Join(", ", failed)} of {request.Gateways.Count} gateway(s) could not be enrolled",
                $"mfctl token create --cluster {request.Name} --max-uses {failed.Count}, then {request.Agent} join on each; or undo: mfctl cluster leave {request.Name}");
        }

        if (request.Source.Count > 0 && request.Via is not null)
        {
            // Read by the agents from the cluster itself: only now is it known.
            Prefixes(session, (await session.Client.GetClusterAsync(request.Name, cancellationToken)).Status.Prefixes);
        }

        return request.Wait ? await WaitAsync(session, request, steps, cancellationToken) : ExitCode.Ok;
    }

    static async Task RefuseExistingAsync(Session session, string name, CancellationToken cancellationToken)
    {
        try
        {
            await session.Client.GetClusterAsync(name, cancellationToken);
        }
        catch (MeshApiException e) when (e.Problem.Status == 404)
        {
            return;
        }

        throw new CommandException(ExitCode.Conflict, $"there is a cluster '{name}' already", "mfctl cluster list");
    }

    static async Task<AddressPlanResource> AddressesAsync(Session session, JoinRequest request, CancellationToken cancellationToken)
    {
        var cidrs = request.Cluster.Spec!.PodCidrs ?? [];
        var plan = cidrs.Count == 0 ? new AddressPlanResource([], null, []) : await session.Client.PlanAddressesAsync(new CreateAddressPlan(cidrs, null, null), cancellationToken);
        Prefixes(session, plan.Prefixes);
        foreach (var finding in plan.Findings)
        {
            session.Warn($"{finding.Code}: {finding.Message} {finding.Hint}");
        }

        return plan;
    }

    static void Prefixes(Session session, IEnumerable<MeshPrefix> prefixes)
    {
        foreach (var prefix in prefixes)
        {
            session.Note(prefix.IsRemapped ? $"      {prefix.Local} is used by another cluster: the mesh will reach it as {prefix.Mesh}" : $"      {prefix.Local} is free and stays as it is");
        }
    }

    /// <summary>Null, or why it failed.</summary>
    static async Task<string?> EnrolAsync(Session session, JoinRequest request, JoinGateway gateway, string token, CancellationToken cancellationToken)
    {
        string[] join = [request.Agent, "join", "--token-file", "-", "--cluster", request.Name, "--gateway", gateway.Name, .. gateway.Endpoint is null ? Array.Empty<string>() : ["--endpoint", gateway.Endpoint],
            .. request.Source, .. Remote.StateOf(request.State, gateway.Name)];
        if (request.Via is null)
        {
            await session.Shell.Out.WriteLineAsync($"on {gateway.Name} run (the token is valid for 15 minutes):\n  echo {token} | {string.Join(' ', join)}");
            return null;
        }

        // The token goes through standard input: a command line can be seen by every user of a host.
        var (code, said) = await request.Via.RunAsync(gateway.Name, join, token, cancellationToken);
        if (code == 0)
        {
            session.Note($"      {gateway.Name}: {said}");
        }

        return code == 0 ? null : said;
    }

    static async Task<int> WaitAsync(Session session, JoinRequest request, int steps, CancellationToken cancellationToken)
    {
        session.Step(steps, steps, "waiting until its tunnels are connected");
        var started = Stopwatch.StartNew();
        while (true)
        {
            var status = (await session.Client.GetClusterAsync(request.Name, cancellationToken)).Status;
            if (status.GatewaysConnected >= request.Gateways.Count && status.TunnelsConnected >= status.TunnelsWanted)
            {
                session.Note($"      {status.TunnelsConnected} of {status.TunnelsWanted} tunnels connected after {Duration.Text(started.Elapsed)}");
                return ExitCode.Ok;
            }

            if (started.Elapsed > session.Timeout)
            {
                var unmet = (await session.Client.GetMeshAsync(cancellationToken)).UnmetConditions.Where(c => c.Contains(request.Name, StringComparison.Ordinal));
                throw new CommandException(ExitCode.TimedOut,
                    $"not connected after {Duration.Text(session.Timeout)}: {status.GatewaysConnected} of {request.Gateways.Count} gateways, {status.TunnelsConnected} of {status.TunnelsWanted} tunnels{string.Concat(unmet.Select(u => $"\n  {u}"))}",
                    $"mfctl tunnel list --cluster {request.Name}; mfctl explain {request.Name}/{request.Gateways[0].Name}");
            }

            await Task.Delay(Look, cancellationToken);
        }
    }
}
