using System.Diagnostics;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <param name="Gateways">Name and ADDRESS:PORT.</param>
/// <param name="Via">Command that reaches a gateway, with {gateway}; null prints what to run there.</param>
sealed record JoinRequest(string Name, string Inventory, IReadOnlyList<(string Name, string Endpoint)> Gateways, string? Via, string Agent, string? State, bool Wait, TimeSpan Timeout);

/// <summary>Joins a cluster as a person would: check, create, enrol each gateway, wait.</summary>
static class ClusterJoin
{
    public static async Task<int> RunAsync(MeshClient client, JoinRequest request, CancellationToken cancellationToken)
    {
        var steps = 3 + (request.Wait ? 1 : 0);
        var inventory = InventoryFile.Read(request.Inventory);
        Step(1, steps, $"checking the addresses of {request.Name}");
        var plan = await client.PlanAddressesAsync(new CreateAddressPlan(inventory.Spec.PodCidrs, null, null), cancellationToken);
        foreach (var prefix in plan.Prefixes)
        {
            Note(prefix.IsRemapped ? $"{prefix.Local} is used by another cluster: the mesh will reach it as {prefix.Mesh}" : $"{prefix.Local} is free and stays as it is");
        }

        Step(2, steps, $"creating cluster {request.Name}");
        var spec = inventory.Spec;
        await client.CreateClusterAsync(new CreateCluster(request.Name, inventory.Metadata.Labels, new CreateClusterSpec(spec.Kind, spec.Provider, spec.Region, spec.Zone, spec.PodCidrs, spec.ServiceCidrs)), cancellationToken);
        var token = await client.CreateJoinTokenAsync(new CreateJoinToken(request.Name, 900, request.Gateways.Count, $"mfctl cluster join {request.Name}"), cancellationToken);

        Step(3, steps, $"enrolling {request.Gateways.Count} gateway(s)");
        foreach (var gateway in request.Gateways)
        {
            await EnrolAsync(request, gateway, token.Status.Token!, cancellationToken);
        }

        return request.Wait ? await WaitAsync(client, request, steps, cancellationToken) : ExitCode.Ok;
    }

    static async Task EnrolAsync(JoinRequest request, (string Name, string Endpoint) gateway, string token, CancellationToken cancellationToken)
    {
        string[] join = [request.Agent, "join", "--token-file", "-", "--cluster", request.Name, "--gateway", gateway.Name, "--endpoint", gateway.Endpoint,
            .. request.State is null ? Array.Empty<string>() : ["--state", request.State.Replace("{gateway}", gateway.Name, StringComparison.Ordinal)]];
        if (request.Via is null)
        {
            Console.WriteLine($"on {gateway.Name} run (the token is valid for 15 minutes):\n  echo {token} | {string.Join(' ', join)}");
            return;
        }

        // The token goes through standard input: a command line can be seen by every user of a host.
        var words = request.Via.Replace("{gateway}", gateway.Name, StringComparison.Ordinal).Split(' ', StringSplitOptions.RemoveEmptyEntries);
        var start = new ProcessStartInfo(words[0], [.. words[1..], .. join]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start) ?? throw new CommandException(ExitCode.Failed, $"{words[0]} could not be started");
        await process.StandardInput.WriteAsync(token);
        process.StandardInput.Close();
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
        {
            throw new CommandException(ExitCode.Failed, $"enrolling {gateway.Name} failed: {(await error).Trim()}\nThe cluster exists; remove it with: mfctl cluster remove {request.Name} --yes");
        }

        Note($"{gateway.Name}: {(await output).Trim()}");
    }

    static async Task<int> WaitAsync(MeshClient client, JoinRequest request, int steps, CancellationToken cancellationToken)
    {
        Step(4, steps, "waiting until its tunnels are connected");
        var started = Stopwatch.StartNew();
        while (true)
        {
            var status = (await client.GetClusterAsync(request.Name, cancellationToken)).Status;
            if (status.GatewaysConnected >= request.Gateways.Count && status.TunnelsConnected >= status.TunnelsWanted)
            {
                Note($"{status.TunnelsConnected} of {status.TunnelsWanted} tunnels connected after {started.Elapsed.TotalSeconds:0.0} s");
                return ExitCode.Ok;
            }

            if (started.Elapsed > request.Timeout)
            {
                await Console.Error.WriteLineAsync($"mfctl: not connected after {request.Timeout.TotalSeconds:0} s: {status.GatewaysConnected} of {request.Gateways.Count} gateways, {status.TunnelsConnected} of {status.TunnelsWanted} tunnels. See: mfctl tunnel list");
                return ExitCode.TimedOut;
            }

            await Task.Delay(200, cancellationToken);
        }
    }

    static void Step(int number, int of, string text) => Console.Error.WriteLine($"[{number}/{of}] {text}");

    static void Note(string text) => Console.Error.WriteLine($"      {text}");
}
