using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Netlink.NfTables;

namespace MeshFabric.Agent.Linux;

/// <summary>A gateway's nft tables: the readable one, and those for ICMP errors.</summary>
/// <param name="isNode">As of <see cref="Nftables.Replace"/>.</param>
public sealed class LinuxFirewall(bool isNode) : IFirewall
{
    readonly NftTable _table = new(Nftables.Table);
    readonly IcmpTables _icmp = new();

    public async Task ApplyAsync(FirewallConfig config, int mtu, CancellationToken cancellationToken)
    {
        await _table.ApplyAsync(Nftables.Replace(config, mtu, isNode), cancellationToken);
        _icmp.Replace(MeshPlanner.DevicePrefix, Errors(config));
    }

    public async Task<bool> IsInPlaceAsync(FirewallConfig config, int mtu, CancellationToken cancellationToken) =>
        await _table.IsInPlaceAsync(Nftables.Replace(config, mtu, isNode), cancellationToken)
        && _icmp.ReadHash() == IcmpTables.HashOf(MeshPlanner.DevicePrefix, Errors(config));

    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await _table.RemoveAsync(cancellationToken);
        _icmp.Remove();
    }

    static List<IcmpTranslation> Errors(FirewallConfig config) =>
        config.Translations.Select(t => new IcmpTranslation(t.Local, t.Outside, t.Destinations)).ToList();
}
