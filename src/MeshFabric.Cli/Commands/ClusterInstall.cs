using System.Diagnostics;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text;
using k8s;
using k8s.Models;
using MeshFabric.Cli.Asking;
using MeshFabric.Cli.Installing;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;
using MeshFabric.Installation;

namespace MeshFabric.Cli.Commands;

/// <param name="Context">Of the kubeconfig; null: its current one.</param>
/// <param name="Settings">Without mesh and token, which are found out on the way.</param>
/// <param name="GatewaySelector">Nodes that shall be labelled as candidates for gateways; null: as they are labelled.</param>
sealed record InstallRequest(CreateCluster Cluster, string Kubeconfig, string? Context, InstallationSettings Settings, string? GatewaySelector, bool Wait)
{
    public string Name => Cluster.Name;

    /// <summary>What is not among these stays as it is in the cluster.</summary>
    public GivenSettings Given { get; init; } = GivenSettings.All;
}

/// <summary>Which of its settings a person gave; the others are defaults.</summary>
sealed record GivenSettings(bool Image, bool Gateways, bool PodCidrs, bool ServiceCidrs, bool MetricsPort)
{
    public static readonly GivenSettings None = new(false, false, false, false, false);
    public static readonly GivenSettings All = new(true, true, true, true, true);
}

/// <summary>Joins a Kubernetes cluster whose nodes run the agents as pods. Every step may be repeated: what was begun is gone on with.</summary>
static class ClusterInstall
{
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);

    // A node may have to pull the image first.
    static readonly TimeSpan DefaultWait = TimeSpan.FromMinutes(5);

    static readonly View<IKubernetesObject<V1ObjectMeta>> View = new(o => $"{o.Kind.ToLowerInvariant()}/{o.Metadata.Name}",
        new("KIND", o => o.Kind),
        new("NAMESPACE", o => o.Metadata.NamespaceProperty ?? ""),
        new("NAME", o => o.Metadata.Name));

    /// <summary>Only prints what would be applied. Asks neither the cluster nor the control service.</summary>
    public static int Print(Session session, InstallRequest request)
    {
        var objects = InstallationObjects.Of(request.Settings with { Mesh = MeshOf(session.Context) });
        switch (session.Printer.Format)
        {
            case "yaml":
                session.Shell.Out.Write(InstallationObjects.Yaml(objects));
                break;
            case "json":
                session.Shell.Out.WriteLine(KubernetesJson.Serialize(new { apiVersion = "v1", kind = "List", items = objects.Select(o => (object)o) }));
                break;
            default:
                session.Printer.List(View, objects);
                break;
        }

        session.Note($"nothing was changed. The join token is not among these; it is a secret of its own:\n  mfctl token create --cluster {request.Name} --standing | kubectl -n {InstallationNames.Namespace} create secret generic {InstallationNames.JoinSecret} --from-file={InstallationNames.JoinSecretKey}=/dev/stdin");
        return ExitCode.Ok;
    }

    public static async Task<int> RunAsync(Session session, InstallRequest request, CancellationToken cancellationToken)
    {
        using var api = ClusterApi.Open(request.Kubeconfig, request.Context);
        var steps = request.Wait ? 6 : 3;
        session.Step(1, steps, $"checking the cluster at {api.Address}");
        var mesh = MeshOf(session.Context);
        var (known, agents) = await CheckAsync(session, api, request, mesh, cancellationToken);
        request = request with { Settings = InstalledAgents.Keep(agents, request.Settings, request.Given) };

        session.Step(2, steps, known ? $"cluster {request.Name} is there already: going on" : $"creating cluster {request.Name}");
        if (!known)
        {
            await session.Client.CreateClusterAsync(request.Cluster, cancellationToken);
        }

        var settings = request.Settings with
        {
            Mesh = mesh,
            AnsweredServiceCidr = request.Settings.ServiceCidrs.Count > 0 ? null : await ServiceCidrAsync(session, api, cancellationToken),
            CniConfigDirectory = request.Settings.CniConfigDirectory ?? await CniFolders.FindAsync(api, cancellationToken),
            NodesDown = (await InstalledAgents.StrandedAsync(api, cancellationToken)).Select(p => p.Spec.NodeName).Distinct().Count(),
        };
        try
        {
            await InstallAsync(session, api, settings, request.GatewaySelector, steps, cancellationToken);
        }
        catch (Exception e) when (e is CommandException or MeshApiException or MeshUnreachableException)
        {
            throw HalfDone(e, request);
        }

        return request.Wait ? await WaitAsync(session, api, request, steps, cancellationToken) : ExitCode.Ok;
    }

    /// <summary>Whether the mesh has this cluster already, from an earlier try; and the agents that are there.</summary>
    static async Task<(bool Known, V1DaemonSet? Agents)> CheckAsync(Session session, ClusterApi api, InstallRequest request, string mesh, CancellationToken cancellationToken)
    {
        var found = await InstallationCheck.LookAsync(api, cancellationToken);
        await InstallationCheck.RefuseStrangersAsync(api, found, request.Name, mesh, cancellationToken);
        // The token's Secret as well: it is not among the objects yet.
        await InstallationCheck.RequirePermissionsAsync(api, InstallationObjects.Of(request.Settings with { JoinToken = "asked for later" }), cancellationToken);
        session.Note($"      Kubernetes {found.Version}, {(found.Namespace is null ? "nothing of MeshFabric there yet" : "its agents are installed already and are brought up to date")}");
        if (InstallationCheck.TooOld(await api.NodesAsync(cancellationToken)) is { Count: > 0 } old)
        {
            session.Warn($"the kernel of {string.Join(", ", old)} is older than {InstallationCheck.OldestKernel} and may not know what the mesh's tables need: there sources are hidden, or nothing of the mesh passes. MeshNodes tell what failed: kubectl get meshnodes -o wide");
        }

        if (found.Namespace?.Metadata.DeletionTimestamp is not null)
        {
            throw new CommandException(ExitCode.Conflict, $"namespace {InstallationNames.Namespace} is being deleted: wait until it is gone", $"kubectl get namespace {InstallationNames.Namespace}");
        }

        try
        {
            var cluster = await session.Client.GetClusterAsync(request.Name, cancellationToken);
            return found.Cluster == request.Name || cluster.Status.Gateways + cluster.Status.Leaves == 0
                ? (true, found.Agents)
                : throw new CommandException(ExitCode.Conflict, $"there is a cluster '{request.Name}' already, with {cluster.Status.Gateways + cluster.Status.Leaves} gateway(s), and none of them is in the cluster at {api.Address}", $"choose another name; or take the other one out first: mfctl cluster leave {request.Name}");
        }
        catch (MeshApiException e) when (e.Problem.Status == 404)
        {
            return (false, found.Agents);
        }
    }

    /// <summary>Asked for by whoever installs: the agents of nodes may make no Services. Null where it is not told.</summary>
    static async Task<string?> ServiceCidrAsync(Session session, ClusterApi api, CancellationToken cancellationToken)
    {
        try
        {
            return await api.AskAsync("ask for its Service CIDR by an invalid Service in namespace default", k => ServiceCidrQuestion.AskAsync(k, "default", cancellationToken), cancellationToken);
        }
        catch (CommandException e)
        {
            // Most clusters name it elsewhere, and most do not advertise their Services.
            session.Warn($"{e.Message}; where the cluster's objects do not name it, it stays unknown: give it with --service-cidr");
            return null;
        }
    }

    static async Task InstallAsync(Session session, ClusterApi api, InstallationSettings settings, string? gatewaySelector, int steps, CancellationToken cancellationToken)
    {
        if (gatewaySelector is not null)
        {
            // Before an agent looks for the label.
            session.Note($"      {await GatewayNodes.LabelAsync(api, gatewaySelector, cancellationToken)} node(s) with {gatewaySelector} may be gateways: {InstallationNames.GatewayLabel}=true");
        }

        var (token, fresh) = await TokenAsync(session, api, settings, cancellationToken);
        var objects = InstallationObjects.Of(settings with { JoinToken = token });
        await InstalledAgents.EndLeavingAsync(session, api, cancellationToken);
        session.Step(3, steps, $"installing {objects.Count} objects into namespace {InstallationNames.Namespace}");
        var delivered = false;
        try
        {
            foreach (var item in objects)
            {
                await api.ApplyAsync(item, cancellationToken);
                delivered |= item is V1Secret;
            }
        }
        finally
        {
            if (fresh is not null && !delivered)
            {
                // Nobody has it: it must not stay good.
                await session.Client.RevokeJoinTokenAsync(fresh, CancellationToken.None);
            }
        }
    }

    /// <summary>The token that is in the cluster while it is good, else a new one, whose id is told.</summary>
    static async Task<(string Token, string? Fresh)> TokenAsync(Session session, ClusterApi api, InstallationSettings settings, CancellationToken cancellationToken)
    {
        if (await api.FindAsync<V1Secret>(InstallationNames.JoinSecret, InstallationNames.Namespace, cancellationToken) is { Data: { } data }
            && data.TryGetValue(InstallationNames.JoinSecretKey, out var bytes) && Encoding.UTF8.GetString(bytes) is var there
            && JoinToken.TryDecode(there, out var token) && token.CertificateAuthorityFingerprint == settings.Mesh
            && (await session.Client.ListAsync<JoinTokenResource>("join-tokens", cancellationToken)).Any(t => t.Metadata.Name == token.Id && t.Status.State == "active" && t.Spec.Standing && t.Spec.Cluster == settings.Cluster))
        {
            session.Note($"      its join token {token.Id} is good");
            return (there, null);
        }

        var made = await session.Client.CreateJoinTokenAsync(new CreateJoinToken(settings.Cluster, null, null, $"agents of {settings.Cluster}", true), cancellationToken);
        return (made.Status.Token!, made.Metadata.Name);
    }

    static async Task<int> WaitAsync(Session session, ClusterApi api, InstallRequest request, int steps, CancellationToken cancellationToken)
    {
        session.Step(4, steps, "waiting until the agent of each node is ready");
        await UntilAsync(session, request, async () =>
        {
            var agents = await AgentsReady.LookAsync(api, cancellationToken);
            return (agents.All, $"{agents}", agents.Troubles);
        }, $"kubectl -n {InstallationNames.Namespace} get pods -o wide", cancellationToken);

        await RemoveExcessAsync(session, request, cancellationToken);
        // A cluster without any is in no mesh: nodes that could be one may still come.
        var wanted = Math.Max(1, Math.Min(request.Settings.Gateways, GatewayNodes.Candidates(await api.NodesAsync(cancellationToken))));
        session.Step(5, steps, $"waiting until {wanted} gateway(s) are enrolled");
        await UntilAsync(session, request, async () =>
        {
            var status = (await session.Client.GetClusterAsync(request.Name, cancellationToken)).Status;
            return (status.GatewaysConnected >= wanted, $"{status.GatewaysConnected} of {wanted} gateway(s) connected", []);
        }, $"mfctl gateway list --cluster {request.Name}; kubectl get meshnodes -o wide", cancellationToken);
        foreach (var prefix in (await session.Client.GetClusterAsync(request.Name, cancellationToken)).Status.Prefixes)
        {
            session.Note(prefix.Services ? $"      its Services {prefix.Local} are advertised: the mesh reaches them as {prefix.Mesh}"
                : prefix.IsRemapped ? $"      {prefix.Local} is used by another cluster: the mesh reaches it as {prefix.Mesh}" : $"      {prefix.Local} is free and stays as it is");
        }

        session.Step(6, steps, "waiting until its tunnels are connected");
        await UntilAsync(session, request, async () =>
        {
            var status = (await session.Client.GetClusterAsync(request.Name, cancellationToken)).Status;
            var done = status.TunnelsConnected >= status.TunnelsWanted;
            IReadOnlyList<string> unmet = done ? [] : [.. (await session.Client.GetMeshAsync(cancellationToken)).UnmetConditions.Where(c => c.Contains(request.Name, StringComparison.Ordinal))];
            return (done, $"{status.TunnelsConnected} of {status.TunnelsWanted} tunnels connected", unmet);
        }, $"mfctl tunnel list --cluster {request.Name}", cancellationToken);
        return ExitCode.Ok;
    }

    /// <summary>Gateways from when there were to be more: their agents have left them by now, and nobody else will.</summary>
    static async Task RemoveExcessAsync(Session session, InstallRequest request, CancellationToken cancellationToken)
    {
        var present = await session.Client.ListGatewaysAsync(request.Name, cancellationToken);
        foreach (var name in present.Select(g => g.Spec.Name).Where(n => GatewayNodes.SlotNumber(n) > request.Settings.Gateways))
        {
            session.Note($"      removing {name}: there are to be {request.Settings.Gateways} gateway(s)");
            await session.Client.DeleteGatewayAsync(request.Name, name, cancellationToken);
        }
    }

    /// <summary>Tells each change of how far it is, and at the end what was missing.</summary>
    static Task UntilAsync(Session session, InstallRequest request, Func<Task<(bool Done, string State, IReadOnlyList<string> Troubles)>> look, string next, CancellationToken cancellationToken)
    {
        var (started, limit, told) = (Stopwatch.StartNew(), session.TimeoutOr(DefaultWait), "");
        return Waiting.UntilAsync(limit, Look, async () =>
        {
            var (done, state, troubles) = await look();
            if (state != told)
            {
                told = state;
                session.Note($"      {state} after {Duration.Text(started.Elapsed)}");
            }

            return done ? null : new CommandException(ExitCode.TimedOut,
                $"cluster {request.Name} is installed, but after {Duration.Text(limit)}: {state}{string.Concat(troubles.Select(t => $"\n  {t}"))}",
                $"{next}; then the same command again, which goes on; or undo: {Undo(request)}");
        }, cancellationToken);
    }

    static CommandException HalfDone(Exception e, InstallRequest request)
    {
        var code = Failure.Of(e).ExitCode;
        return new CommandException(
            code is ExitCode.NotAllowed or ExitCode.Unreachable or ExitCode.Conflict ? code : ExitCode.PartlyDone,
            $"cluster {request.Name} exists in the mesh, but its agents are not installed completely: {e.Message}",
            $"{(e is CommandException { Next.Length: > 0 } known ? known.Next : "mend that")}; then the same command again, which goes on; or undo: {Undo(request)}");
    }

    static string Undo(InstallRequest request) => $"mfctl cluster leave {request.Name} {ClusterApi.OptionsOf(request.Kubeconfig, request.Context)}";

    /// <summary>SHA-256 of the mesh's CA certificate: what its join tokens carry too.</summary>
    public static string MeshOf(MeshContext context)
    {
        using var authority = X509Certificate2.CreateFromPem(context.CertificateAuthority);
        return Convert.ToHexStringLower(SHA256.HashData(authority.RawData));
    }
}
