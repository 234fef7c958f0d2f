using System.Diagnostics;
using MeshFabric.Agent.Ports;
using MeshFabric.Domain.Planning;
using MeshFabric.Netlink.NfTables;

namespace MeshFabric.Agent.Linux;

/// <summary>Our nft tables, each replaced whole in one transaction. Whether they are still as they were is known by reading them back.</summary>
public sealed class LinuxFirewall : IFirewall
{
    readonly IcmpTables _icmp = new();
    string? _appliedScript;
    string? _readBack;

    public async Task ApplyAsync(FirewallConfig config, int mtu, CancellationToken cancellationToken)
    {
        var script = Nftables.Replace(config, mtu);
        await RunAsync(["-f", "-"], script, cancellationToken);
        _icmp.Replace(MeshPlanner.DevicePrefix, Errors(config));
        _appliedScript = script;
        _readBack = await ListAsync(cancellationToken);
    }

    public async Task<bool> IsInPlaceAsync(FirewallConfig config, int mtu, CancellationToken cancellationToken) =>
        _appliedScript == Nftables.Replace(config, mtu) && _readBack is not null && _readBack == await ListAsync(cancellationToken)
        && _icmp.ReadHash() == IcmpTables.HashOf(MeshPlanner.DevicePrefix, Errors(config));

    public async Task RemoveAsync(CancellationToken cancellationToken)
    {
        await RunAsync(["-f", "-"], Nftables.Remove(), cancellationToken);
        _icmp.Remove();
        _appliedScript = _readBack = null;
    }

    static List<IcmpTranslation> Errors(FirewallConfig config) =>
        config.Translations.Select(t => new IcmpTranslation(t.Local, t.Outside, t.Destinations)).ToList();

    // Null when the table is gone.
    static async Task<string?> ListAsync(CancellationToken cancellationToken)
    {
        var (code, output, _) = await StartAsync(["list", "table", "inet", Nftables.Table], "", cancellationToken);
        return code == 0 ? output : null;
    }

    static async Task RunAsync(string[] arguments, string input, CancellationToken cancellationToken)
    {
        var (code, _, error) = await StartAsync(arguments, input, cancellationToken);
        if (code != 0)
        {
            throw new InvalidOperationException($"nft refused our table: {error.Split('\n')[0]}");
        }
    }

    static async Task<(int Code, string Output, string Error)> StartAsync(string[] arguments, string input, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo("nft", arguments) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start) ?? throw new InvalidOperationException("nft could not be started: install nftables");
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.StandardInput.WriteAsync(input.AsMemory(), cancellationToken);
        process.StandardInput.Close();
        await process.WaitForExitAsync(cancellationToken);
        return (process.ExitCode, await output, await error);
    }
}
