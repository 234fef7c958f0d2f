using System.Diagnostics;
using System.Text.Json;
using k8s;
using k8s.Models;
using MeshFabric.Cli.Asking;
using MeshFabric.Cli.Installing;
using MeshFabric.Contracts.Http;
using MeshFabric.Installation;

namespace MeshFabric.Cli.Commands;

/// <param name="Force">Go on when nodes do not say in time that they are clean.</param>
sealed record UninstallRequest(string Name, string Kubeconfig, string? Context, bool Yes, bool Force);

/// <summary>The reverse of <see cref="ClusterInstall"/>: cut off everywhere, then each agent cleans its node, then every object is deleted.</summary>
static class ClusterUninstall
{
    const int Steps = 4;
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250);
    static readonly TimeSpan DefaultWait = TimeSpan.FromMinutes(2);

    /// <param name="mesh">Null: without the control service.</param>
    public static async Task<int> RunAsync(Invocation run, Session? mesh, UninstallRequest request, CancellationToken cancellationToken)
    {
        using var api = ClusterApi.Open(request.Kubeconfig, request.Context);
        run.Step(1, Steps, $"checking the cluster at {api.Address}");
        var found = await InstallationCheck.LookAsync(api, cancellationToken);
        InstallationCheck.RefuseStrangers(api, found, request.Name, mesh is null ? null : ClusterInstall.MeshOf(mesh.Context));
        var objects = await PresentAsync(api, cancellationToken);
        var member = await MemberAsync(mesh, api, request, objects.Count > 0, cancellationToken);
        await run.ConfirmAsync(request.Yes, $"takes {request.Name} out of the mesh and deletes its agents in the cluster at {api.Address}", request.Name, cancellationToken);

        run.Step(2, Steps, member is Membership.Member ? $"cutting {request.Name} off everywhere" : $"{request.Name} is {(member is Membership.None ? "no member of the mesh any more" : "not cut off: the control service is not asked")}");
        if (member is Membership.Member)
        {
            await mesh!.Client.DeleteClusterAsync(request.Name, cancellationToken);
        }

        run.Step(3, Steps, "cleaning the nodes");
        await CleanAsync(run, api, request, objects, cancellationToken);
        run.Step(4, Steps, $"deleting {objects.Count} objects");
        await DeleteAsync(run, api, request, objects, cancellationToken);
        if (member is Membership.Unknown)
        {
            run.Warn($"{request.Name} is still a member of the mesh, as far as the control service knows: when it is back, mfctl cluster remove {request.Name}");
        }

        return ExitCode.Ok;
    }

    enum Membership
    {
        Unknown,
        None,
        Member,
    }

    static async Task<Membership> MemberAsync(Session? mesh, ClusterApi api, UninstallRequest request, bool installed, CancellationToken cancellationToken)
    {
        if (mesh is null)
        {
            return installed ? Membership.Unknown : throw Nothing(api, request);
        }

        try
        {
            var cluster = await mesh.Client.GetClusterAsync(request.Name, cancellationToken);
            return installed || cluster.Status.Gateways + cluster.Status.Leaves == 0
                ? Membership.Member
                : throw new CommandException(ExitCode.Conflict, $"there are no agents in the cluster at {api.Address}, but {request.Name} has {cluster.Status.Gateways + cluster.Status.Leaves} gateway(s): is it the right --kubeconfig and --kube-context?", $"if its gateways are outside pods: mfctl cluster leave {request.Name} --via COMMAND");
        }
        catch (MeshApiException e) when (e.Problem.Status == 404)
        {
            return installed ? Membership.None : throw Nothing(api, request);
        }
        catch (MeshUnreachableException e) when (installed)
        {
            mesh.Warn($"{e.Message}: going on without it");
            return Membership.Unknown;
        }
    }

    static CommandException Nothing(ClusterApi api, UninstallRequest request) =>
        new(ExitCode.NotFound, $"the cluster at {api.Address} has no agents, and the mesh has no cluster '{request.Name}' that anything is known of", "mfctl cluster list");

    /// <summary>What is there of all that an installation makes, in the order in which it was made. What only has the same name is left alone.</summary>
    static async Task<IReadOnlyList<IKubernetesObject<V1ObjectMeta>>> PresentAsync(ClusterApi api, CancellationToken cancellationToken)
    {
        var present = new List<IKubernetesObject<V1ObjectMeta>>();
        foreach (var item in InstallationObjects.Of(new InstallationSettings("", "") { JoinToken = "" }))
        {
            var (name, space) = (item.Metadata.Name, item.Metadata.NamespaceProperty);
            IKubernetesObject<V1ObjectMeta>? there = item switch
            {
                V1CustomResourceDefinition => await api.FindAsync<V1CustomResourceDefinition>(name, null, cancellationToken),
                V1Namespace => await api.FindAsync<V1Namespace>(name, null, cancellationToken),
                V1ServiceAccount => await api.FindAsync<V1ServiceAccount>(name, space, cancellationToken),
                V1ClusterRole => await api.FindAsync<V1ClusterRole>(name, null, cancellationToken),
                V1ClusterRoleBinding => await api.FindAsync<V1ClusterRoleBinding>(name, null, cancellationToken),
                V1Role => await api.FindAsync<V1Role>(name, space, cancellationToken),
                V1RoleBinding => await api.FindAsync<V1RoleBinding>(name, space, cancellationToken),
                V1Secret => await api.FindAsync<V1Secret>(name, space, cancellationToken),
                V1DaemonSet => await api.FindAsync<V1DaemonSet>(name, space, cancellationToken),
                _ => throw new NotSupportedException($"a {item.Kind} is not installed"),
            };
            // The Secret may have been made by hand, for an installation by manifest.
            if (there is not null && (there is V1Secret || InstallationCheck.IsOurs(there.Metadata)))
            {
                present.Add(there);
            }
        }

        return present;
    }

    /// <summary>Tells the agents to take everything of ours off their nodes, and waits until each has said that it did.</summary>
    static async Task CleanAsync(Invocation run, ClusterApi api, UninstallRequest request, IReadOnlyList<IKubernetesObject<V1ObjectMeta>> objects, CancellationToken cancellationToken)
    {
        if (!objects.OfType<V1DaemonSet>().Any())
        {
            run.Note("      no agent runs there");
            return;
        }

        await api.AskAsync("tell the agents to leave", k => k.AppsV1.PatchNamespacedDaemonSetAsync(
            new V1Patch(Leaving, V1Patch.PatchType.StrategicMergePatch), InstallationNames.Agent, InstallationNames.Namespace, fieldManager: InstallationNames.FieldManager, cancellationToken: cancellationToken), cancellationToken);
        var (started, limit, told) = (Stopwatch.StartNew(), run.TimeoutOr(DefaultWait), -1);
        while (true)
        {
            var nodes = await AgentNodes.LookAsync(api, cancellationToken);
            if (nodes.Left.Count != told)
            {
                told = nodes.Left.Count;
                run.Note($"      {told} of {told + nodes.Waiting.Count} nodes clean after {Duration.Text(started.Elapsed)}");
            }

            if (nodes.Waiting.Count == 0)
            {
                return;
            }

            if (started.Elapsed > limit)
            {
                var missing = string.Join(", ", nodes.Waiting);
                if (!request.Force)
                {
                    throw new CommandException(ExitCode.TimedOut, $"not clean after {Duration.Text(limit)}: {missing}. The agents there are left running; nothing is deleted yet",
                        $"{api.Kubectl} -n {InstallationNames.Namespace} get pods -o wide; then the same command again; or with --force when these nodes will not come back");
                }

                run.Warn($"not clean: {missing}. When such a node comes back: {Cleaning(api, objects)}");
                return;
            }

            await Task.Delay(Look, cancellationToken);
        }
    }

    // By the agent's own image: the program is on no node itself, and what it left there is only known to its state directory.
    static string Cleaning(ClusterApi api, IReadOnlyList<IKubernetesObject<V1ObjectMeta>> objects)
    {
        var image = objects.OfType<V1DaemonSet>().SelectMany(d => d.Spec.Template.Spec.Containers).First(c => c.Name == InstallationNames.Container).Image;
        return $"{api.Kubectl} debug node/NODE --profile=sysadmin --image={image} -- meshfabric-agent leave --state /host/var/lib/meshfabric";
    }

    // All nodes at a time: nothing runs over the mesh any more.
    static readonly string Leaving = JsonSerializer.Serialize(new
    {
        spec = new
        {
            updateStrategy = new { rollingUpdate = new { maxUnavailable = "100%" } },
            template = new { spec = new { containers = new[] { new { name = InstallationNames.Container, env = new[] { new { name = InstallationNames.LeaveVariable, value = "true" } } } } } },
        },
    });

    /// <summary>The agents first, so that none of them makes anew what is deleted; then backwards.</summary>
    static async Task DeleteAsync(Invocation run, ClusterApi api, UninstallRequest request, IReadOnlyList<IKubernetesObject<V1ObjectMeta>> objects, CancellationToken cancellationToken)
    {
        foreach (var agents in objects.OfType<V1DaemonSet>())
        {
            await api.DeleteAsync(agents, cancellationToken);
        }

        if (request.Force)
        {
            // Nobody there says that they have ended, and namespace and agents would be waited for for ever.
            foreach (var pod in await InstalledAgents.StrandedAsync(api, cancellationToken))
            {
                await api.ForgetAsync(pod, cancellationToken);
            }
        }

        if (objects.OfType<V1DaemonSet>().Any())
        {
            await GoneAsync(run, api, request, "the agents' pods", async () => (await api.PodsAsync(cancellationToken)).Count == 0, cancellationToken);
        }

        await MeshPools.DeleteAsync(api, cancellationToken);
        await GatewayNodes.UnlabelAsync(api, new HashSet<string>(), cancellationToken);
        foreach (var lease in await api.LeasesAsync(cancellationToken))
        {
            await api.DeleteAsync(lease, cancellationToken);
        }

        foreach (var item in objects.Reverse().Where(o => o is not V1DaemonSet))
        {
            await api.DeleteAsync(item, cancellationToken);
        }

        foreach (var item in objects)
        {
            if (item is V1Namespace)
            {
                await GoneAsync(run, api, request, $"namespace {item.Metadata.Name}", async () => await api.FindAsync<V1Namespace>(item.Metadata.Name, null, cancellationToken) is null, cancellationToken);
            }
            else if (item is V1CustomResourceDefinition)
            {
                await GoneAsync(run, api, request, $"custom resource {item.Metadata.Name}", async () => await api.FindAsync<V1CustomResourceDefinition>(item.Metadata.Name, null, cancellationToken) is null, cancellationToken);
            }
        }
    }

    static Task GoneAsync(Invocation run, ClusterApi api, UninstallRequest request, string what, Func<Task<bool>> gone, CancellationToken cancellationToken)
    {
        var limit = run.TimeoutOr(DefaultWait);
        return Waiting.UntilAsync(limit, Look, async () => await gone() ? null
            : new CommandException(ExitCode.PartlyDone, $"the nodes are clean, but {what} is being deleted and not gone after {Duration.Text(limit)}",
                $"the same command again, which goes on: mfctl cluster leave {request.Name} {api.Options} --yes; finalizers: {api.Kubectl} get namespace {InstallationNames.Namespace} -o yaml"), cancellationToken);
    }
}
