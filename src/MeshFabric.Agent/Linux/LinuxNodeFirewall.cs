using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Agent.Linux;

/// <summary>A node's nft table and its chains in iptables.</summary>
public sealed class LinuxNodeFirewall : INodeFirewall
{
    readonly NftTable _table = new(NodeNftables.Table);

    public async Task ApplyAsync(NodeFirewall config, CancellationToken cancellationToken)
    {
        if (config == NodeFirewall.None)
        {
            await RemoveAsync(cancellationToken);
            return;
        }

        var script = NodeNftables.Replace(config);
        if (!await _table.IsInPlaceAsync(script, cancellationToken))
        {
            await _table.ApplyAsync(script, cancellationToken);
            HiddenFlows.Forget(config);
        }

        await IptablesForward.ApplyAsync(config.ForwardsFirst, cancellationToken);
    }

    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await IptablesForward.RemoveAsync(cancellationToken);
        await _table.RemoveAsync(cancellationToken);
    }
}
