using System.CommandLine;
using MeshFabric.Agent.Enrolment;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Agent.Setup;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;
using MeshFabric.WireGuard;
using Microsoft.Extensions.Hosting;

var stateOption = new Option<string>("--state") { Description = "State directory", DefaultValueFactory = _ => Environment.GetEnvironmentVariable("MESHFABRIC_STATE") ?? "/var/lib/meshfabric" };
var backendOption = new Option<BackendChoice>("--wireguard") { Description = "WireGuard implementation: auto, kernel or userspace", DefaultValueFactory = _ => BackendChoice.Auto };

var tokenFile = new Option<string>("--token-file") { Description = "File with the join token, or - for standard input", Required = true };
var cluster = new Option<string?>("--cluster") { Description = "Cluster to join; needed when the token is not bound to one" };
var gateway = new Option<string>("--gateway") { Description = "Name of this gateway in its cluster", Required = true };
var endpoints = new Option<string[]>("--endpoint") { Description = "ADDRESS:PORT that other gateways can dial; repeat for several, best first; none: this gateway only dials out" };
var listenPort = new Option<int>("--listen-port") { Description = "First UDP port; device k listens on this port plus k", DefaultValueFactory = _ => 51820 };

var join = new Command("join", "Enrol this host as a gateway, by a join token") { tokenFile, cluster, gateway, endpoints, listenPort, stateOption };
join.SetAction((result, cancellationToken) => RunAsync(async () =>
{
    var file = result.GetValue(tokenFile)!;
    var text = file == "-" ? await Console.In.ReadToEndAsync(cancellationToken) : await File.ReadAllTextAsync(file, cancellationToken);
    if (!JoinToken.TryDecode(text, out var token))
    {
        throw new EnrolmentException("this is no join token: it begins with mfj1_ and comes from 'mfctl token create'");
    }

    var identity = await Enroller.JoinAsync(new AgentStateDirectory(result.GetValue(stateOption)!), token, result.GetValue(cluster), result.GetValue(gateway)!,
        result.GetValue(endpoints) ?? [], result.GetValue(listenPort), cancellationToken);
    Console.WriteLine($"enrolled as gateway {identity.Gateway} of cluster {identity.Cluster} at {identity.Server}");
    return 0;
}));

var run = new Command("run", "Run the agent; waits for enrolment if this host has none yet") { stateOption, backendOption };
run.SetAction((result, cancellationToken) => RunAsync(async () =>
{
    using var host = AgentHost.Create(new AgentStateDirectory(result.GetValue(stateOption)!), result.GetValue(backendOption));
    await host.RunAsync(cancellationToken);
    return 0;
}));

var leave = new Command("leave", "Take everything of MeshFabric off this host: devices, routes, tables and state. Stop the agent first") { stateOption, backendOption };
leave.SetAction((result, cancellationToken) => RunAsync(async () =>
{
    var state = new AgentStateDirectory(result.GetValue(stateOption)!);
    await using var backend = WireGuardBackends.Open(result.GetValue(backendOption), new BackendOptions(state.LogDirectory), TimeProvider.System);
    using var links = new LinuxLinks();
    using var routes = new LinuxRouteTable();
    await new GatewayReconciler(backend, links, routes, new LinuxFirewall(), MeshFabric.Net.PrivateKey.Generate(), TimeProvider.System).RemoveAsync(cancellationToken);
    state.Delete();
    Console.WriteLine("removed devices, routes, tables and state");
    return 0;
}));

return await new RootCommand("MeshFabric's agent: joins this host's cluster to the mesh.\n\nExamples:\n  meshfabric-agent join --token-file - --gateway gw1 --endpoint 198.51.100.10:51820 < token\n  meshfabric-agent run\n  meshfabric-agent leave")
{
    join, run, leave,
}.Parse(args).InvokeAsync();

static async Task<int> RunAsync(Func<Task<int>> action)
{
    try
    {
        return await action();
    }
    catch (Exception e) when (e is EnrolmentException or AgentStateException or WireGuardException or IOException or UnauthorizedAccessException)
    {
        await Console.Error.WriteLineAsync($"meshfabric-agent: {e.Message}");
        return 1;
    }
}
