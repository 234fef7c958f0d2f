using System.Globalization;
using System.Net;
using k8s.Models;
using MeshFabric.Cli.Asking;
using MeshFabric.Cli.Commands;
using MeshFabric.Installation;

namespace MeshFabric.Cli.Installing;

/// <summary>What the agents that a cluster has already were told.</summary>
static class InstalledAgents
{
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(250), Limit = TimeSpan.FromMinutes(2);

    /// <summary>Who joins again to change one thing does not change the others by leaving them out.</summary>
    public static InstallationSettings Keep(V1DaemonSet? agents, InstallationSettings settings, GivenSettings given)
    {
        if (Container(agents) is not { } container)
        {
            return settings;
        }

        var pods = agents!.Spec.Template.Spec;
        return settings with
        {
            // The product's own image is brought up to the command's version; one that is kept elsewhere was somebody's choice.
            Image = given.Image || container.Image is not { Length: > 0 } image || Repository(image) == Repository(settings.Image) ? settings.Image : image,
            Gateways = !given.Gateways && Number(container, InstallationNames.GatewaysVariable) is { } gateways ? gateways : settings.Gateways,
            ListenPort = Number(container, InstallationNames.ListenPortVariable) ?? settings.ListenPort,
            MetricsPort = !given.MetricsPort && Value(container, InstallationNames.MetricsVariable) is { } metrics && IPEndPoint.TryParse(metrics, out var address) ? address.Port : settings.MetricsPort,
            PodCidrs = given.PodCidrs ? settings.PodCidrs : List(container, InstallationNames.PodCidrsVariable),
            ServiceCidrs = given.ServiceCidrs ? settings.ServiceCidrs : List(container, InstallationNames.ServiceCidrsVariable),
            CniConfigDirectory = settings.CniConfigDirectory ?? pods.Volumes?.FirstOrDefault(v => v.Name == InstallationNames.CniConfigVolume)?.HostPath?.Path,
        };
    }

    /// <summary>Agents' pods whose nodes are not ready, or gone: nobody there does anything with them.</summary>
    public static async Task<IReadOnlyList<V1Pod>> StrandedAsync(ClusterApi api, CancellationToken cancellationToken)
    {
        var ready = (await api.NodesAsync(cancellationToken)).Where(GatewayNodes.IsReady).Select(n => n.Metadata.Name).ToHashSet(StringComparer.Ordinal);
        return [.. (await api.PodsAsync(cancellationToken)).Where(p => p.Spec?.NodeName is { } node && !ready.Contains(node))];
    }

    /// <summary>Agents that were told to leave, and by a leaving that did not come to its end: they are ended, so that new ones begin anew.</summary>
    public static async Task EndLeavingAsync(Invocation run, ClusterApi api, CancellationToken cancellationToken)
    {
        if (await api.FindAsync<V1DaemonSet>(InstallationNames.Agent, InstallationNames.Namespace, cancellationToken) is not { } agents || Value(Container(agents), InstallationNames.LeaveVariable) != "true")
        {
            return;
        }

        run.Note("      its agents were told to leave: they are ended first");
        await api.DeleteAsync(agents, cancellationToken);
        await Waiting.UntilAsync(Limit, Look, async () =>
            await api.FindAsync<V1DaemonSet>(InstallationNames.Agent, InstallationNames.Namespace, cancellationToken) is null && (await api.PodsAsync(cancellationToken)).All(p => p.Metadata.DeletionTimestamp is not null) ? null
                : new CommandException(ExitCode.TimedOut, $"the agents that were told to leave are not gone after {Limit.TotalMinutes:0} min", $"kubectl -n {InstallationNames.Namespace} get daemonset,pods -o wide; then the same command again"), cancellationToken);
    }

    static string Repository(string image) => image.LastIndexOf(':') is var at && at > image.LastIndexOf('/') ? image[..at] : image;

    static V1Container? Container(V1DaemonSet? agents) => agents?.Spec?.Template?.Spec?.Containers?.FirstOrDefault(c => c.Name == InstallationNames.Container);

    static string? Value(V1Container? container, string name) => container?.Env?.FirstOrDefault(v => v.Name == name)?.Value;

    static string[] List(V1Container container, string name) => Value(container, name)?.Split(',', StringSplitOptions.RemoveEmptyEntries) ?? [];

    static int? Number(V1Container container, string name) => int.TryParse(Value(container, name), NumberStyles.None, CultureInfo.InvariantCulture, out var number) ? number : null;
}
