using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Netlink.NfTables;

namespace MeshFabric.Agent.Linux;

/// <summary>A gateway's nft tables: the readable one, and those for ICMP errors.</summary>
/// <param name="isNode">As of <see cref="Nftables.Replace"/>.</param>
public sealed class LinuxFirewall(bool isNode) : IFirewall, IDisposable
{
    readonly NftTable _table = new(Nftables.Table);
    readonly IcmpTables _icmp = new();

    // Whoever reports reads while others write.
    readonly SemaphoreSlim _oneAtATime = new(1);

    public Task ApplyAsync(FirewallConfig config, CancellationToken cancellationToken) => AloneAsync(
        async () =>
        {
            await _table.ApplyAsync(Nftables.Replace(config, isNode), cancellationToken);
            _icmp.Replace(MeshPlanner.DevicePrefix, Errors(config));
            return true;
        },
        cancellationToken);

    public Task<bool> IsInPlaceAsync(FirewallConfig config, CancellationToken cancellationToken) => AloneAsync(
        async () => await _table.IsInPlaceAsync(Nftables.Replace(config, isNode), cancellationToken)
            && _icmp.ReadHash() == IcmpTables.HashOf(MeshPlanner.DevicePrefix, Errors(config)),
        cancellationToken);

    public Task RemoveAsync(CancellationToken cancellationToken) => AloneAsync(
        async () =>
        {
            await _table.RemoveAsync(cancellationToken);
            _icmp.Remove();
            return true;
        },
        cancellationToken);

    async Task<T> AloneAsync<T>(Func<Task<T>> action, CancellationToken cancellationToken)
    {
        await _oneAtATime.WaitAsync(cancellationToken);
        try
        {
            return await action();
        }
        finally
        {
            _oneAtATime.Release();
        }
    }

    static List<IcmpTranslation> Errors(FirewallConfig config) =>
        config.Translations.Select(t => new IcmpTranslation(t.Local, t.Outside, t.Destinations)).ToList();

    public void Dispose() => _oneAtATime.Dispose();
}
