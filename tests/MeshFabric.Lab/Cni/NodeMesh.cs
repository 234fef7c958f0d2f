using System.Net;
using System.Text.Json;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.Net;
using MeshFabric.TestKit;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.Lab.Cni;

/// <summary>The product on clusters whose nodes all have an agent: a control plane, and what a DaemonSet would run, as processes of the nodes.</summary>
public sealed class NodeMesh : IAsyncDisposable
{
    const string Agent = "agent";
    const string LeavingAgent = "leaving";

    static readonly TimeSpan Limit = TimeSpan.FromSeconds(60);

    readonly MeshLab _mesh;

    NodeMesh(MeshLab mesh) => _mesh = mesh;

    public Lab Lab => _mesh.Lab;

    public ControlPlane Control => _mesh.Control;

    /// <param name="programs">Directory with the product's programs.</param>
    /// <param name="say">Told of each step.</param>
    public static async Task<NodeMesh> CreateAsync(LabSpec spec, string programs, Action<string> say, CancellationToken cancellationToken) => new(await MeshLab.CreateAsync(spec, programs, say, cancellationToken));

    /// <summary>Joins a cluster as its installation does: a cluster-bound token, our kinds, one agent a node.</summary>
    /// <param name="gateways">How many nodes are gateways.</param>
    public async Task JoinAsync(string cluster, CniApi api, int gateways, CancellationToken cancellationToken)
    {
        await CreateClusterAsync(cluster, cancellationToken);
        var token = await _mesh.MfctlAsync(cancellationToken, "token", "create", "--cluster", cluster, "--max-uses", "8", "--expires", "1h");
        await api.PrepareForAgentsAsync(cancellationToken);
        foreach (var node in Nodes(cluster))
        {
            WriteSecret(TokenFile(node), token);
            await StartAgentAsync(node, api, gateways, cancellationToken);
        }
    }

    /// <summary>Joins a site as a person would, by its inventory file.</summary>
    public Task JoinSiteAsync(string site, CancellationToken cancellationToken) => _mesh.JoinAsync(site, cancellationToken);

    /// <summary>Starts the agent of a node whose cluster has joined.</summary>
    public Task StartAgentAsync(string node, CniApi api, int gateways, CancellationToken cancellationToken) =>
        Lab.StartAsync(node, Agent, [.. Command(api, node), "--token-file", TokenFile(node), "--gateways", $"{gateways}"], cancellationToken);

    /// <summary>The agent of a node ends as by a power cut, and nobody starts it again.</summary>
    public Task KillAgentAsync(string node, CancellationToken cancellationToken) => Lab.Process(node, Agent).StopAsync("KILL", cancellationToken);

    /// <summary>As the administrator.</summary>
    /// <returns>Its standard output.</returns>
    public Task<string> MfctlAsync(CancellationToken cancellationToken, params string[] words) => _mesh.MfctlAsync(cancellationToken, words);

    /// <inheritdoc cref="MeshLab.LeavesAsync"/>
    public Task<IReadOnlyList<string>> LeavesAsync(string cluster, CancellationToken cancellationToken) => _mesh.LeavesAsync(cluster, cancellationToken);

    /// <inheritdoc cref="MeshLab.TunnelDevicesAsync"/>
    public Task<IReadOnlyList<string>> TunnelDevicesAsync(string host, CancellationToken cancellationToken) => _mesh.TunnelDevicesAsync(host, cancellationToken);

    /// <inheritdoc cref="MeshLab.TryMfctlAsync"/>
    public Task<CommandResult> TryMfctlAsync(CancellationToken cancellationToken, params string[] words) => _mesh.TryMfctlAsync(cancellationToken, words);

    /// <summary>All agents of a cluster end and start again, as when their DaemonSet changes.</summary>
    public async Task RestartAsync(string cluster, CniApi api, int gateways, CancellationToken cancellationToken)
    {
        foreach (var node in Nodes(cluster))
        {
            await Lab.Process(node, Agent).StopAsync("TERM", cancellationToken);
            await StartAgentAsync(node, api, gateways, cancellationToken);
        }
    }

    /// <summary>Process ids of a cluster's agents; null for one that ended.</summary>
    public IReadOnlyList<int?> Agents(string cluster) => [.. Nodes(cluster).Select(n => Lab.Process(n, Agent).Pid)];

    /// <inheritdoc cref="MeshLab.SignalGatewayAsync"/>
    public Task SignalGatewayAsync(string node, string signal, CancellationToken cancellationToken) => _mesh.SignalGatewayAsync(node, signal, cancellationToken);

    /// <inheritdoc cref="MeshLab.ProcessesAsync"/>
    public Task<IReadOnlyList<(string Pid, string Program)>> ProcessesAsync(string node, CancellationToken cancellationToken) => _mesh.ProcessesAsync(node, cancellationToken);

    /// <summary>Waits until every tunnel carries traffic, as a person would.</summary>
    public Task ConnectedAsync(CancellationToken cancellationToken) => _mesh.MfctlAsync(cancellationToken, "status", "--wait", "--timeout", "180");

    /// <summary>The cluster leaves; its nodes are as they were before. Nothing when it has left already.</summary>
    public async Task LeaveAsync(string cluster, CniApi api, CancellationToken cancellationToken)
    {
        var running = Nodes(cluster).Where(n => Lab.Process(n, Agent).Pid is not null).ToList();
        foreach (var node in running)
        {
            await StartLeavingAsync(node, api, cancellationToken);
        }

        foreach (var node in running)
        {
            await LeftAsync(node, cluster, api, cancellationToken);
        }

        if (running.Count > 0)
        {
            await _mesh.MfctlAsync(cancellationToken, "cluster", "remove", cluster, "--yes");
        }
    }

    /// <summary>One node's agent takes everything off it and ends.</summary>
    public async Task LeaveNodeAsync(string node, string cluster, CniApi api, CancellationToken cancellationToken)
    {
        await StartLeavingAsync(node, api, cancellationToken);
        await LeftAsync(node, cluster, api, cancellationToken);
    }

    /// <summary>An agent stands still (STOP) or goes on (CONT): what it made stays.</summary>
    public async Task SignalAsync(string node, string signal, CancellationToken cancellationToken) =>
        (await Processes.Command.RunAsync(["kill", $"-{signal}", $"{Lab.Process(node, Agent).Pid ?? throw new LabException($"no agent on {node}")}"], null, cancellationToken)).Checked($"{signal} to the agent of {node}");

    /// <summary>The prefix by which the pods of a cluster are seen from a cluster that uses the same addresses inside.</summary>
    public async Task<Cidr> AliasAsync(string cluster, CancellationToken cancellationToken)
    {
        JsonElement prefix = default;
        await Until.TrueAsync(async () =>
        {
            using var document = JsonDocument.Parse(await _mesh.MfctlAsync(cancellationToken, "cluster", "get", cluster, "-o", "json"));
            prefix = document.RootElement.GetProperty("status").GetProperty("prefixes").EnumerateArray().Where(p => !p.TryGetProperty("services", out _)).Select(p => p.Clone()).FirstOrDefault();
            return prefix.ValueKind == JsonValueKind.Object;
        }, TimeSpan.FromSeconds(60), $"the prefixes of {cluster}, which its agents find out", cancellationToken);
        var local = prefix.GetProperty("local").GetString();
        // A cluster that keeps its CIDR has an alias for those that use it too.
        return Cidr.Parse(prefix.TryGetProperty("alias", out var alias) && alias.GetString() is { Length: > 0 } text ? text : prefix.GetProperty("mesh").GetString() ?? local!);
    }

    /// <inheritdoc cref="MeshLab.AdvertiseServicesAsync"/>
    public Task<Func<IPAddress, IPAddress>> AdvertiseServicesAsync(string cluster, CancellationToken cancellationToken) => _mesh.AdvertiseServicesAsync(cluster, cancellationToken);

    public ValueTask DisposeAsync() => _mesh.DisposeAsync();

    async Task StartLeavingAsync(string node, CniApi api, CancellationToken cancellationToken)
    {
        await Lab.Process(node, Agent).StopAsync("TERM", cancellationToken);
        await Lab.StartAsync(node, LeavingAgent, [.. Command(api, node), "--leave", "true"], cancellationToken);
    }

    async Task LeftAsync(string node, string cluster, CniApi api, CancellationToken cancellationToken)
    {
        var leaving = Lab.Process(node, LeavingAgent);
        await Until.TrueAsync(() => api.HasLeftAsync(node[(cluster.Length + 1)..], cancellationToken), Limit, () => $"{node} to have left; {leaving.LogTail()}", cancellationToken);
        await leaving.StopAsync("TERM", cancellationToken);
    }

    string TokenFile(string node) => Path.Combine(Lab.HostDirectory(node), "join-token");

    IEnumerable<string> Nodes(string cluster) => Lab.Topology.Nodes.Where(n => n.Cluster == cluster).Select(n => n.Name);

    string[] Command(CniApi api, string node) => ["meshfabric-agent", "run", "--node", Lab.Topology[node].ShortName, "--kubeconfig", api.Kubeconfig];

    async Task CreateClusterAsync(string cluster, CancellationToken cancellationToken)
    {
        var header = Path.Combine(Lab.HostDirectory("control"), "authorization");
        WriteSecret(header, $"Authorization: Bearer {(await File.ReadAllTextAsync(_mesh.Control.AdminTokenFile, cancellationToken)).Trim()}");
        var body = JsonSerializer.Serialize(new { name = cluster, spec = new { kind = "kubernetes" } });
        (await Lab.ExecAsync("control", ["curl", "-fsS", "-m", "30", "--cacert", _mesh.Control.AuthorityFile, "-H", $"@{header}", "-H", "Content-Type: application/json", "-d", body, $"{ControlPlane.Url}api/v1/clusters"], cancellationToken)).Checked($"creating cluster {cluster}");
    }

    static void WriteSecret(string path, string text)
    {
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        KubeCertificates.WriteSecret(path, text);
    }
}
