using System.Globalization;
using System.Net;
using System.Text.Json;
using MeshFabric.Lab.Kubelets;
using MeshFabric.Lab.Processes;
using MeshFabric.Lab.Topology;
using MeshFabric.Net;
using MeshFabric.TestKit;

namespace MeshFabric.Lab.Control;

/// <summary>A lab with the product in it: a control plane, an agent on every gateway, and the CLI as a person uses it.</summary>
public sealed class MeshLab : IAsyncDisposable
{
    const int FirstPort = 51820;

    MeshLab(Lab lab, ControlPlane control)
    {
        Lab = lab;
        Control = control;
    }

    public Lab Lab { get; }

    public ControlPlane Control { get; }

    /// <summary>Network, control plane and agents; no cluster has joined yet.</summary>
    /// <param name="programs">Directory with the product's programs.</param>
    /// <param name="say">Told of each step.</param>
    public static async Task<MeshLab> CreateAsync(LabSpec spec, string programs, Action<string> say, CancellationToken cancellationToken)
    {
        foreach (var program in new[] { "mfctl", "meshfabric-control", "meshfabric-agent", "meshfabric-schema" })
        {
            if (!File.Exists(Path.Combine(programs, program)))
            {
                throw new LabException($"{Path.Combine(programs, program)} is missing: run 'make build'");
            }
        }

        say($"network: an internet and {spec.Clusters.Count} clusters");
        var lab = await Lab.CreateAsync(spec, programs, cancellationToken);
        try
        {
            say("PostgreSQL, RabbitMQ, schema and control service");
            var control = await ControlPlane.CreateAsync(lab, cancellationToken);
            foreach (var cluster in spec.Clusters.Where(c => c is { Kind: "kubernetes", Kubelets: 0 }))
            {
                say($"a Kubernetes API for {cluster.Name}");
                await ClusterApi.StartAsync(lab, cluster.Name, cancellationToken);
            }

            if (spec.Clusters.Any(c => c.Kubelets > 0))
            {
                say("kubelets");
                await KubeCluster.StartAllAsync(lab, [KubeImages.Agent(programs)], cancellationToken);
            }

            if (lab.Topology.Gateways.Any())
            {
                say($"an agent on each of {lab.Topology.Gateways.Count()} gateways");
            }

            var mesh = new MeshLab(lab, control);
            foreach (var gateway in lab.Topology.Gateways)
            {
                await mesh.StartAgentAsync(gateway.Name, cancellationToken);
            }

            await mesh.MfctlAsync(cancellationToken, "login", ControlPlane.Url.ToString(), "--token-file", control.AdminTokenFile, "--ca-file", control.AuthorityFile, "--name", "lab");
            return mesh;
        }
        catch
        {
            await lab.DeleteAsync(CancellationToken.None);
            throw;
        }
    }

    public Task<LabProcess> StartAgentAsync(string gateway, CancellationToken cancellationToken) =>
        Lab.StartAsync(gateway, "agent", ["meshfabric-agent", "run"], cancellationToken);

    public LabProcess Agent(string gateway) => Lab.Process(gateway, "agent");

    /// <summary>An agent ends, and another version takes its place, as a package's upgrade would do it.</summary>
    /// <param name="programs">Directory with the other version.</param>
    /// <param name="between">Done while no agent runs.</param>
    public async Task ChangeAgentAsync(string gateway, string programs, Func<Task>? between, CancellationToken cancellationToken)
    {
        await Agent(gateway).StopAsync("TERM", cancellationToken);
        await (between?.Invoke() ?? Task.CompletedTask);
        Lab.UsePrograms(gateway, programs);
        await StartAgentAsync(gateway, cancellationToken);
    }

    /// <summary>All that makes a host a gateway, the agent and whoever ends its tunnels, gets a signal: STOP and CONT, or KILL as when memory runs out; then they are gone when this returns.</summary>
    public async Task SignalGatewayAsync(string host, string signal, CancellationToken cancellationToken)
    {
        var ours = (await ProcessesAsync(host, cancellationToken)).Where(p => p.Program is "wireguard-go" or "meshfabric-agen").Select(p => p.Pid).ToArray();
        if (ours.Length == 0)
        {
            throw new LabException($"no gateway runs on {host}");
        }

        (await Command.RunAsync(["kill", $"-{signal}", .. ours], null, cancellationToken)).Checked($"{signal} to the gateway on {host}");
        if (signal == "KILL")
        {
            await Until.TrueAsync(() => ours.All(pid => LabProcess.StartTime(int.Parse(pid, CultureInfo.InvariantCulture)) is null), TimeSpan.FromSeconds(30), $"the gateway on {host} to be gone", cancellationToken);
        }
    }

    /// <summary>What runs in a host, by the first 15 characters of its name.</summary>
    public async Task<IReadOnlyList<(string Pid, string Program)>> ProcessesAsync(string host, CancellationToken cancellationToken)
    {
        var all = (await Command.RunAsync(["ip", "netns", "pids", Lab.Topology[host].Namespace], null, cancellationToken)).Checked($"listing the processes of {host}");
        return [.. all.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Select(pid => (pid, ProgramOf(pid)))];

        static string ProgramOf(string pid)
        {
            try
            {
                return File.ReadAllText($"/proc/{pid}/comm").Trim();
            }
            catch (IOException)
            {
                // It has ended.
                return "";
            }
        }
    }

    /// <summary>Runs the CLI in the control plane's host.</summary>
    /// <exception cref="LabException">It failed.</exception>
    public async Task<string> MfctlAsync(CancellationToken cancellationToken, params string[] words) =>
        (await TryMfctlAsync(cancellationToken, words)).Checked($"mfctl {string.Join(' ', words)}").Output;

    /// <summary>Names of the nodes of a cluster that end tunnels for their own pods, sorted.</summary>
    public async Task<IReadOnlyList<string>> LeavesAsync(string cluster, CancellationToken cancellationToken)
    {
        using var gateways = JsonDocument.Parse(await MfctlAsync(cancellationToken, "gateway", "list", "--cluster", cluster, "-o", "json"));
        return [.. gateways.RootElement.EnumerateArray().Select(g => g.GetProperty("spec")).Where(s => s.GetProperty("isLeaf").GetBoolean()).Select(s => s.GetProperty("node").GetString()!).Order(StringComparer.Ordinal)];
    }

    /// <summary>Names of the tunnel devices that a host has.</summary>
    public async Task<IReadOnlyList<string>> TunnelDevicesAsync(string host, CancellationToken cancellationToken) =>
        (await Lab.ShellAsync(host, "ls /sys/class/net | grep -x 'mf[0-9]' || true", cancellationToken)).Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>As <see cref="MfctlAsync"/>, whatever the exit code.</summary>
    public Task<CommandResult> TryMfctlAsync(CancellationToken cancellationToken, params string[] words) =>
        Lab.ExecAsync("control", ["env", $"MESHFABRIC_CONFIG={Path.Combine(Lab.Directory, "mfctl.json")}", "mfctl", .. words], cancellationToken);

    /// <summary>From now on a cluster's Services are reached by their ClusterIPs.</summary>
    /// <returns>What the other clusters reach a ClusterIP by.</returns>
    public async Task<Func<IPAddress, IPAddress>> AdvertiseServicesAsync(string cluster, CancellationToken cancellationToken)
    {
        using var document = JsonDocument.Parse(await MfctlAsync(cancellationToken, "cluster", "set", cluster, "--advertise-services", "true", "-o", "json"));
        var prefixes = document.RootElement.GetProperty("status").GetProperty("prefixes").EnumerateArray().Where(p => p.TryGetProperty("services", out _))
            .Select(p => (Local: Cidr.Parse(p.GetProperty("local").GetString()!), Mesh: Cidr.Parse(p.GetProperty("mesh").GetString()!))).ToList();
        return service =>
        {
            var (local, mesh) = prefixes.Single(p => p.Local.Contains(service));
            return LabTopology.At(mesh, (int)(Cidr.Host(service).Bits - local.Bits));
        };
    }

    /// <summary>Joins a cluster as a person would: by its inventory file, by its Kubernetes API, or with agents that run as its pods.</summary>
    public async Task JoinAsync(string cluster, CancellationToken cancellationToken) =>
        await MfctlAsync(cancellationToken, [.. JoinCommand(cluster)]);

    /// <summary>The words after <c>mfctl</c> that join a cluster of the lab.</summary>
    public IReadOnlyList<string> JoinCommand(string cluster)
    {
        if (Lab.Topology.Cluster(cluster).Spec.Kubelets > 0)
        {
            return ["cluster", "join", cluster, .. Source(cluster)];
        }

        var gateways = Lab.Topology.Gateways.Where(g => g.Cluster == cluster).ToList();
        var behindNat = Lab.Topology.Cluster(cluster).Spec.Nat is not null;
        return
        [
            "cluster", "join", cluster, .. Source(cluster),
            .. gateways.SelectMany(g => new[] { "--gateway", behindNat ? g.ShortName : $"{g.ShortName}={g.Address}:{FirstPort}" }),
            "--via", $"{Lab.OnScript} {cluster}-{{gateway}}",
        ];
    }

    string[] Source(string cluster)
    {
        var spec = Lab.Topology.Cluster(cluster).Spec;
        if (spec.Kind == "kubernetes")
        {
            return ["--kubeconfig", Path.Combine(Lab.Directory, "kubernetes", cluster, "admin.kubeconfig")];
        }

        var file = Path.Combine(Lab.Directory, $"{cluster}.yaml");
        var cidrs = string.Join(", ", new[] { spec.PodCidr, spec.PodCidr6 }.OfType<string>().Select(c => $"'{c}'"));
        File.WriteAllText(file, $$"""
            apiVersion: meshfabric.io/v1
            kind: ClusterInventory
            metadata: { name: {{cluster}}, labels: { lab: {{Lab.Spec.Name}} } }
            spec: {kind: {{spec.Kind}}, provider: "{{spec.Provider}}", region: "{{spec.Region}}", podCidrs: [{{cidrs}}]}

            """);
        return ["--inventory", file];
    }

    public async ValueTask DisposeAsync() => await Lab.DisposeAsync();
}
