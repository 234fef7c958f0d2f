using MeshFabric.Agent.Kubernetes;
using MeshFabric.Agent.Kubernetes.Networking;
using MeshFabric.Agent.Reconciling;
using MeshFabric.Net;
using Microsoft.Extensions.Hosting;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.Nodes;

/// <summary>While this node's gateway is the cluster's first by name: keeps the mesh in Calico's list of pools, where there is Calico.</summary>
sealed partial class CalicoPoolKeeper(ClusterApi api, GatewayRole gateway, TimeProvider time, ILogger<CalicoPoolKeeper> log) : BackgroundService
{
    static readonly TimeSpan Look = TimeSpan.FromSeconds(1);

    // Somebody may have deleted one, or Calico may have been installed.
    static readonly TimeSpan Check = TimeSpan.FromSeconds(30);

    ValueList<Cidr>? _applied;
    long _appliedAt;

    protected override Task ExecuteAsync(CancellationToken stoppingToken) => Turns.RunAsync(
        Look, time, TurnAsync, e => KubernetesErrors.IsExpected(e) ? KubernetesErrors.Describe(e, api.Client.BaseUri, "write its IPPools", RbacRule.CalicoPoolsOfMesh) : null, reason => LogFailed(log, reason), stoppingToken);

    async Task TurnAsync(CancellationToken cancellationToken)
    {
        if (Wanted() is { } mesh && (mesh != _applied || time.GetElapsedTime(_appliedAt) > Check))
        {
            await CalicoPools.ApplyAsync(api.Client, mesh, cancellationToken);
            (_applied, _appliedAt) = (mesh, time.GetTimestamp());
        }
    }

    /// <summary>Null: another gateway's task, or not known yet.</summary>
    ValueList<Cidr>? Wanted() =>
        gateway.Config is { } config && api.Facts?.Lead is { } first && first.Name == config.Gateway ? config.Firewall.RemotePrefixes : null;

    [LoggerMessage(5441, LogLevel.Warning, "Calico: {Reason}; trying again")]
    static partial void LogFailed(ILogger logger, string reason);
}
