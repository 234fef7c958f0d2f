using System.Globalization;
using System.Text.Json;
using MeshFabric.Lab;
using MeshFabric.Lab.Control;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Product;

/// <summary>What one gateway's host had while the former agent ran, while none did, and with the one of today.</summary>
/// <param name="Devices">Name, interface index, public key and port of each.</param>
/// <param name="Deleted">What the kernel told of links, routes and rules that went, at any time of it.</param>
public sealed record UpgradedGateway(string Name, string Devices, string DevicesWithout, string DevicesAfter, IReadOnlyList<string> Without, IReadOnlyList<string> After, IReadOnlyList<string> Deleted);

/// <summary>
/// aurora and borealis, set up by the previous version and upgraded in the order of docs/operations.md while flows of 100 packets a second run: schema, control service, agents one after
/// the other. What was seen on the way is kept for the tests.
/// </summary>
public sealed class UpgradedMesh : IAsyncLifetime
{
    static readonly LabSpec Spec = new("upgrade", [new ClusterSpec("aurora", "10.10.0.0/16") { PodsPerWorker = 1 }, new ClusterSpec("borealis", "10.20.0.0/16") { PodsPerWorker = 1 }]);

    readonly List<UpgradedGateway> _gateways = [];
    readonly Dictionary<string, string> _devicesAtTheEnd = [];
    readonly List<string> _steps = [];
    PodServers? _servers;

    public MeshLab Mesh { get; private set; } = null!;

    public MeshFabric.Lab.Lab Lab => Mesh.Lab;

    /// <summary>Hosts, in the order in which they are upgraded.</summary>
    public static IReadOnlyList<string> Gateways { get; } = ["aurora-gw1", "aurora-gw2", "borealis-gw1", "borealis-gw2"];

    /// <summary>What agents of the previous version call themselves, and what those of today do.</summary>
    public string Former { get; private set; } = "";

    public string Today { get; private set; } = "";

    /// <summary>Of all flows, from before the schema's change until all keys were in force after the last agent.</summary>
    public IReadOnlyList<PingReport> Flows { get; private set; } = [];

    public IReadOnlyList<UpgradedGateway> Upgraded => _gateways;

    /// <summary>As of <see cref="UpgradedGateway.Devices"/>, by host.</summary>
    public IReadOnlyDictionary<string, string> DevicesAtTheEnd => _devicesAtTheEnd;

    /// <summary>When what began, for whoever reads a failure.</summary>
    public string Steps => string.Join(", ", _steps);

    static string Programs => JoinedMesh.Programs;

    public async ValueTask InitializeAsync()
    {
        Mesh = await MeshLab.CreateAsync(Spec, PreviousVersion.Programs, _ => { }, CancellationToken.None);
        _servers = PodServers.Start(Lab.Topology);
        foreach (var cluster in Spec.Clusters)
        {
            await Mesh.JoinAsync(cluster.Name, CancellationToken.None);
        }

        await MfctlAsync("status", "--wait", "--timeout", "90");
        Former = (await VersionsAsync()).Values.Distinct().Single();
        await using var flows = Start();
        await flows.GoOnAsync(JoinedMesh.Limit, "before", CancellationToken.None);
        await UpgradeAsync(flows);
        await flows.GoOnAsync(JoinedMesh.Limit, "after", CancellationToken.None);
        Flows = await flows.StopAsync();
        foreach (var gateway in Gateways)
        {
            _devicesAtTheEnd[gateway] = await DevicesAsync(gateway);
        }
    }

    public async ValueTask DisposeAsync()
    {
        if (_servers is not null)
        {
            await _servers.DisposeAsync();
        }

        if (Mesh is not null)
        {
            KeptLogs.Of(Lab, JoinedMesh.Root(), "e2e");
            await Mesh.DisposeAsync();
        }
    }

    async Task UpgradeAsync(PingFlows flows)
    {
        Say("schema", flows);
        await Mesh.Control.ApplySchemaAsync(Path.Combine(Programs, "meshfabric-schema"), CancellationToken.None);
        // The former control service, and its CLI, on the schema of today; the other's CLI asks it too.
        await TellAllAsync();
        await LookAsync(Programs);
        Say("control service", flows);
        await Mesh.Control.ChangeServiceAsync(Programs, CancellationToken.None);
        await LookAsync(PreviousVersion.Programs);
        await TellAllAsync();
        using (var mesh = JsonDocument.Parse(await MfctlAsync("status", "-o", "json")))
        {
            Today = mesh.RootElement.GetProperty("version").GetString()!;
        }

        foreach (var gateway in Gateways)
        {
            Say(gateway, flows);
            _gateways.Add(await UpgradeAsync(gateway));
        }

        Say("keys", flows);
        await Until.TrueAsync(async () => (await PresharedKeysAsync()).All(k => k.Value != "(none)"), JoinedMesh.Limit, "pre-shared keys of all tunnels, which the former version had none of", CancellationToken.None);
    }

    void Say(string step, PingFlows flows) => _steps.Add(string.Create(CultureInfo.InvariantCulture, $"{step} at {flows.Elapsed.TotalSeconds:0.0} s"));

    async Task<UpgradedGateway> UpgradeAsync(string gateway)
    {
        var (devices, before) = (await DevicesAsync(gateway), await HostState.ReadAsync(Lab, gateway, CancellationToken.None));
        var (devicesWithout, without) = ("", (IReadOnlyList<string>)[]);
        var deleted = await DeletedAsync(gateway, () => ChangeAgentAsync(gateway, Programs, async () => (devicesWithout, without) = (await DevicesAsync(gateway), HostState.Difference(before, await HostState.ReadAsync(Lab, gateway, CancellationToken.None)))));
        var (devicesAfter, after) = (await DevicesAsync(gateway), HostState.Difference(before, await HostState.ReadAsync(Lab, gateway, CancellationToken.None)));
        return new UpgradedGateway(gateway, devices, devicesWithout, devicesAfter, without, after, deleted);
    }

    /// <summary>Of <see cref="ToldAsync"/>, what went.</summary>
    public async Task<IReadOnlyList<string>> DeletedAsync(string host, Func<Task> meanwhile) => (await ToldAsync(host, meanwhile)).Where(l => l.StartsWith("Deleted", StringComparison.Ordinal)).ToList();

    /// <summary>What the kernel of a host tells of links, routes and rules meanwhile.</summary>
    public async Task<IReadOnlyList<string>> ToldAsync(string host, Func<Task> meanwhile)
    {
        var monitor = await Lab.StartAsync(host, "monitor", ["ip", "-o", "monitor", "link", "route", "rule"], CancellationToken.None);
        try
        {
            await MarkAsync("192.0.2.1");
            await meanwhile();
            await MarkAsync("192.0.2.2");
        }
        finally
        {
            await monitor.StopAsync("TERM", CancellationToken.None);
        }

        var lines = (await File.ReadAllLinesAsync(monitor.LogFile)).ToList();
        File.Delete(monitor.LogFile);
        return lines.FindAll(l => !l.Contains("192.0.2.", StringComparison.Ordinal));

        // From the first one on everything is heard; when the last one was, everything has been.
        Task MarkAsync(string mark) => Until.TrueAsync(
            async () =>
            {
                await Lab.ShellAsync(host, $"ip route add blackhole {mark} table 4711; ip route del blackhole {mark} table 4711", CancellationToken.None);
                return (await File.ReadAllTextAsync(monitor.LogFile)).Contains(mark, StringComparison.Ordinal);
            },
            JoinedMesh.Limit, $"the kernel of {host} to be heard", CancellationToken.None);
    }

    /// <summary>As the first of its gateways saw it last.</summary>
    public async Task<string?> TunnelStateAsync(string tunnel)
    {
        using var tunnels = JsonDocument.Parse(await MfctlAsync("tunnel", "list", "-o", "json"));
        return tunnels.RootElement.EnumerateArray().Single(t => t.GetProperty("metadata").GetProperty("name").GetString() == tunnel).GetProperty("status").GetProperty("a").GetProperty("state").GetString();
    }

    /// <summary>Puts another version of the agent in the place of the one that runs, and waits until it says so and all tunnels answer.</summary>
    /// <param name="between">As of <see cref="MeshLab.ChangeAgentAsync"/>.</param>
    public async Task ChangeAgentAsync(string gateway, string programs, Func<Task>? between = null)
    {
        await Mesh.ChangeAgentAsync(gateway, programs, between, CancellationToken.None);
        var (name, version) = (gateway.Replace('-', '/'), programs == Programs ? Today : Former);
        await Until.TrueAsync(async () => (await VersionsAsync())[name] == version, JoinedMesh.Limit, $"{name} to be {version}", CancellationToken.None);
        await MfctlAsync("status", "--wait", "--timeout", "90");
        await MfctlAsync("ping", "aurora", "borealis", "-c", "1");
    }

    /// <summary>Looks at the mesh by a CLI that is not the control service's.</summary>
    async Task LookAsync(string programs)
    {
        foreach (var words in new[] { "status --wait --timeout 60", "cluster list", "gateway list -o json", "tunnel list -o wide", "ping aurora borealis -c 1" })
        {
            (await Lab.ExecAsync("control", ["env", $"MESHFABRIC_CONFIG={Path.Combine(Lab.Directory, "mfctl.json")}", Path.Combine(programs, "mfctl"), .. words.Split(' ')], CancellationToken.None)).Checked($"mfctl {words} of another version");
        }
    }

    /// <summary>Changes the facts, and waits until every agent runs them.</summary>
    async Task TellAllAsync()
    {
        await MfctlAsync("cluster", "create", "empty");
        using var mesh = JsonDocument.Parse(await MfctlAsync("status", "-o", "json"));
        var revision = mesh.RootElement.GetProperty("revision").GetInt64();
        await Until.TrueAsync(async () => (await StatesAsync(s => s.GetProperty("appliedRevision").GetInt64())).Values.All(r => r >= revision), JoinedMesh.Limit, $"all gateways to run revision {revision}", CancellationToken.None);
        await MfctlAsync("cluster", "remove", "empty", "--yes");
    }

    /// <summary>Of the agents, by CLUSTER/GATEWAY.</summary>
    public Task<IReadOnlyDictionary<string, string>> VersionsAsync() => StatesAsync(s => s.GetProperty("agentVersion").GetString()!);

    async Task<IReadOnlyDictionary<string, T>> StatesAsync<T>(Func<JsonElement, T> read)
    {
        using var gateways = JsonDocument.Parse(await MfctlAsync("gateway", "list", "-o", "json"));
        return gateways.RootElement.EnumerateArray().ToDictionary(g => g.GetProperty("metadata").GetProperty("name").GetString()!, g => read(g.GetProperty("status")));
    }

    public Task<string> DevicesAsync(string gateway) =>
        Lab.ShellAsync(gateway, "for d in mf0 mf1; do echo \"$d $(ip -o link show $d | cut -d: -f1) $(wg show $d public-key) $(wg show $d listen-port)\"; done", CancellationToken.None);

    /// <summary>By host, device and peer; <c>(none)</c> where there is none.</summary>
    public async Task<IReadOnlyDictionary<string, string>> PresharedKeysAsync() =>
        (await Task.WhenAll(Gateways.Select(async g => (await Lab.ShellAsync(g, "wg show all preshared-keys", CancellationToken.None)).Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(l => l.Split('\t')).Select(l => ($"{g} {l[0]} {l[1]}", l[2])))))
        .SelectMany(g => g).ToDictionary(k => k.Item1, k => k.Item2);

    public PingFlows Start() => PingFlows.BothWays(Lab.Topology["aurora-w1-p1"], Lab.Topology["borealis-w1-p1"], pairs: 4);

    public Task<string> MfctlAsync(params string[] words) => Mesh.MfctlAsync(CancellationToken.None, words);
}
