using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Agent.Linux;
using MeshFabric.Agent.State;
using MeshFabric.Net;
using MeshFabric.ServiceDefaults;
using MeshFabric.WireGuard;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Nodes;

/// <summary>Takes everything of ours off the node, whatever role it had, and says so in its MeshNode. Needs neither control service nor broker.</summary>
sealed partial class NodeLeave(NodeSettings settings, ClusterApi api, NodeState node, LinuxSysctls sysctls, AgentStateDirectory gateway, Func<IWireGuardBackend> openBackend, TimeProvider time, ILogger<NodeLeave> log) : BackgroundService
{
    static readonly TimeSpan Retry = TimeSpan.FromSeconds(2);

    protected override async Task ExecuteAsync(CancellationToken stoppingToken)
    {
        var (removed, pools) = (false, gateway.IsEnrolled);
        string? said = null;
        while (!stoppingToken.IsCancellationRequested)
        {
            try
            {
                if (!removed)
                {
                    await RemoveAsync(stoppingToken);
                    removed = true;
                    LogLeft(log, settings.Node);
                }

                if (pools)
                {
                    // Another gateway that stays makes them anew.
                    await CalicoPools.ApplyAsync(api.Client, [], stoppingToken);
                    pools = false;
                }

                if (api.Node(settings.Node) is { } known && api.MeshNodes is not null)
                {
                    await api.ReportAsync(known, new MeshNodeStatus { Left = true, AgentVersion = ProductVersion.Current }, stoppingToken);
                }
            }
            catch (Exception e) when (!stoppingToken.IsCancellationRequested)
            {
                if (said != e.Message)
                {
                    said = e.Message;
                    LogFailed(log, said);
                }
            }

            await api.Changed.WaitAsync(Retry, stoppingToken);
        }
    }

    async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await RemoveAsync(settings.Node, sysctls, gateway, node.Directory, openBackend, time, cancellationToken);
        // We hold it to our end all the same.
        File.Delete(node.Agent.LockFile);
    }

    /// <summary>Without a cluster, too: of a node that came back after its cluster had left.</summary>
    public static async Task RemoveAsync(string name, LinuxSysctls sysctls, AgentStateDirectory gateway, AgentStateDirectory node, Func<IWireGuardBackend> openBackend, TimeProvider time, CancellationToken cancellationToken)
    {
        await using (var backend = openBackend())
        {
            using var host = new LinuxHost(new NodeHeldSettings(sysctls), isNode: true);
            using var reconciler = host.Reconciler(backend, PrivateKey.Generate(), time);
            await reconciler.RemoveAsync(cancellationToken);
        }

        gateway.Delete();
        using var overlay = new LinuxOverlay();
        await new NodeReconciler(overlay, new LinuxNodeFirewall(), sysctls).RemoveAsync(name, cancellationToken);
        node.Delete();
    }

    [LoggerMessage(5431, LogLevel.Information, "Everything of MeshFabric was taken off {Node}")]
    static partial void LogLeft(ILogger logger, string node);

    [LoggerMessage(5432, LogLevel.Warning, "Leaving: {Reason}; trying again")]
    static partial void LogFailed(ILogger logger, string reason);
}
