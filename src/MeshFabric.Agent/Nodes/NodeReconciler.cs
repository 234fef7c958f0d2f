using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Agent.Nodes;

/// <summary>Makes a node what the config says, every time it is asked. Firewall before routes; what goes, goes in the reverse order.</summary>
/// <remarks>Failures of independent parts are joined; the next turn tries again.</remarks>
public sealed class NodeReconciler(IOverlay overlay, INodeFirewall firewall, IHostSettings settings)
{
    NodeFirewall? _firewall;

    /// <param name="checkFirewall">Read tables back; costs processes, so only when something said that they changed, or now and then.</param>
    /// <exception cref="AggregateException">Several parts failed; everything was tried.</exception>
    public async Task ReconcileAsync(NodeConfig config, bool checkFirewall, CancellationToken cancellationToken)
    {
        var failures = new List<Exception>();
        await TryAsync(failures, () =>
        {
            if (config.Overlay is not null)
            {
                settings.Prepare(forwards: true, forwards6: config.Firewall.LocalPrefixes.Any(p => !p.IsIPv4));
            }

            return Task.CompletedTask;
        });
        await TryAsync(failures, () => ApplyFirewallAsync(config.Firewall, checkFirewall, cancellationToken));
        await TryAsync(failures, () => overlay.ApplyAsync(config, cancellationToken));
        if (failures.Count > 0)
        {
            throw failures.Count == 1 ? failures[0] : new AggregateException(failures);
        }
    }

    /// <summary>Takes everything of ours off the node.</summary>
    public async Task RemoveAsync(string node, CancellationToken cancellationToken)
    {
        await overlay.ApplyAsync(NodeConfig.None(node), cancellationToken);
        await firewall.RemoveAsync(cancellationToken);
        settings.Restore();
    }

    async Task ApplyFirewallAsync(NodeFirewall wanted, bool check, CancellationToken cancellationToken)
    {
        if (!check && wanted == _firewall)
        {
            return;
        }

        _firewall = null;
        await firewall.ApplyAsync(wanted, cancellationToken);
        _firewall = wanted;
    }

    static async Task TryAsync(List<Exception> failures, Func<Task> action)
    {
        try
        {
            await action();
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            failures.Add(e);
        }
    }
}
