using System.CommandLine;
using System.Net.Http.Json;
using System.Net.Sockets;
using System.Text.Json;
using MeshFabric.Agent.Local;
using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Planning;
using MeshFabric.Domain.Tunnels;

namespace MeshFabric.Agent.Commands;

/// <summary><c>meshfabric-agent status</c>: asks the running agent by its socket. Exit 1 when it does not run or cannot make the host as wanted.</summary>
static class StatusCommand
{
    public static Command Create()
    {
        var stateOption = AgentCommand.State();
        var format = new Option<string>("--output", "-o") { Description = "table or json", DefaultValueFactory = _ => "table" };
        format.AcceptOnlyFromAmong("table", "json");
        var command = new Command("status", "Show what the agent on this host does") { stateOption, format };
        command.SetAction((result, cancellationToken) => AgentCommand.RunAsync(async () =>
        {
            var state = new AgentStateDirectory(result.GetValue(stateOption)!);
            if (await AskAsync(state, cancellationToken) is not { } status)
            {
                await Console.Error.WriteLineAsync(state.IsEnrolled
                    ? $"meshfabric-agent: enrolled as {state.ReadIdentity().Cluster}/{state.ReadIdentity().Gateway}, but the agent does not run: start it with 'meshfabric-agent run --state {state.Directory}'"
                    : $"meshfabric-agent: no agent runs on {state.Directory} and this host is not enrolled: see 'meshfabric-agent join --help'");
                return 1;
            }

            Console.WriteLine(result.GetValue(format) == "json" ? JsonSerializer.Serialize(status, Indented) : Text(status));
            return status.Error.Length == 0 && status.Node is not { Error.Length: > 0 } ? 0 : 1;
        }));
        return command;
    }

    static readonly JsonSerializerOptions Indented = new(MeshJson.Options) { WriteIndented = true };

    static async Task<AgentStatus?> AskAsync(AgentStateDirectory state, CancellationToken cancellationToken)
    {
        using var http = new HttpClient(new SocketsHttpHandler
        {
            ConnectCallback = async (_, token) =>
            {
                var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(state.SocketFile), token);
                return new NetworkStream(socket, ownsSocket: true);
            },
        })
        {
            BaseAddress = new Uri("http://agent"),
            Timeout = TimeSpan.FromSeconds(5),
        };
        try
        {
            return await http.GetFromJsonAsync<AgentStatus>(LocalApi.StatusPath, MeshJson.Lenient, cancellationToken);
        }
        catch (Exception e) when (e is HttpRequestException or SocketException or TaskCanceledException && !cancellationToken.IsCancellationRequested)
        {
            return null;
        }
    }

    /// <summary>For a person: one fact a line, one tunnel a row.</summary>
    internal static string Text(AgentStatus s)
    {
        string[] lines = [.. s.Node is { } node ? Node(node) : [], .. s.Node is null || s.Gateway.Length > 0 ? Gateway(s) : []];
        return string.Join('\n', lines);
    }

    static IEnumerable<string> Node(NodeStatus n) =>
    [
        $"node {n.Name}",
        $"api        {(n.ApiError.Length > 0 ? n.ApiError : "read and watched")}",
        $"overlay    {(n.OverlayPort == 0 ? "none: there is no gateway yet, or no other node" : $"UDP port {n.OverlayPort}, {n.Routes} routes")}",
        $"gateways   {(n.Gateways.Count == 0 ? "none yet" : string.Join(", ", n.Gateways.Select(g => $"{g.Name} on {g.Node}{(g.Alive ? "" : " (does not answer)")}")))}",
        .. n.Error.Length > 0 ? [$"error      {n.Error}"] : Array.Empty<string>(),
        .. n.Findings.Select(Line),
        "",
    ];

    static IEnumerable<string> Gateway(AgentStatus s) =>
    [
        $"{s.Role} {s.Cluster}/{s.Gateway}, version {s.Version}",
        $"control    {s.Server}, {(s.ControlConnected ? "connected" : "not connected: tunnels go on from the last facts")}",
        $"wireguard  {s.Backend}, MTU {s.Mtu}",
        $"revision   {s.AppliedRevision} applied of {s.FactsRevision}",
        $"inventory  {s.Inventory}{(s.InventoryError.Length > 0 ? $": {s.InventoryError}" : "")}",
        .. s.Error.Length > 0 ? [$"error      {s.Error}"] : Array.Empty<string>(),
        .. s.Findings.Select(Line),
        "",
        .. Rows(s.Tunnels),
    ];

    static string Line(Finding f) => $"{f.Severity.ToString().ToLowerInvariant(),-10} {f.Message} {f.Hint}";

    static IEnumerable<string> Rows(IEnumerable<TunnelReport> tunnels)
    {
        var rows = tunnels.Select(t => new[]
        {
            t.Device, $"{t.PeerCluster}/{t.PeerGateway}", t.State.ToString().ToLowerInvariant(), t.RoundTripSeconds is { } rtt ? $"{rtt * 1000:0.0} ms" : "-",
            t.LossRatio is { } loss ? $"{loss * 100:0} %" : "-", $"{t.MtuBytes}", t.LastHandshake?.ToString("u") ?? "never", $"{t.ReceivedBytes}", $"{t.SentBytes}", t.Relay is null ? $"{t.Endpoint}" : $"{t.Endpoint} by {t.Relay}",
        }).Prepend(["DEVICE", "PEER", "STATE", "RTT", "LOSS", "MTU", "HANDSHAKE", "RECEIVED", "SENT", "ENDPOINT"]).ToList();
        var widths = Enumerable.Range(0, rows[0].Length).Select(i => rows.Max(r => r[i].Length)).ToList();
        return rows.Select(r => string.Join("  ", r.Select((cell, i) => cell.PadRight(widths[i]))).TrimEnd());
    }
}
