using MeshFabric.Lab;
using MeshFabric.Lab.Processes;
using MeshFabric.TestKit;

namespace MeshFabric.Bench.Peers;

/// <summary>wireguard-go as an administrator sets it up by hand with wg and ip, nothing else.</summary>
public static class HandSetWireGuard
{
    public static async Task<Lab.Lab> CreateAsync(string name, CancellationToken cancellationToken)
    {
        var lab = await Lab.Lab.CreateAsync(new LabSpec(name, TwoSites.Clusters), null, cancellationToken);
        var keys = new Dictionary<string, string>();
        foreach (var (gateway, _, _) in TwoSites.Sides(lab.Topology))
        {
            await lab.StartAsync(gateway.Name, "wireguard-go", ["wireguard-go", "-f", "wg0"], cancellationToken);
            await Until.TrueAsync(async () => (await lab.ExecAsync(gateway.Name, ["test", "-S", "/run/wireguard/wg0.sock"], cancellationToken)).ExitCode == 0, TimeSpan.FromSeconds(20), "wireguard-go", cancellationToken);
            keys[gateway.Name] = (await lab.ShellAsync(gateway.Name, "umask 077; wg genkey >/var/lib/meshfabric/key; wg pubkey </var/lib/meshfabric/key", cancellationToken)).Trim();
        }

        foreach (var (gateway, far, pods) in TwoSites.Sides(lab.Topology))
        {
            await lab.ShellAsync(
                gateway.Name,
                $"""
                nft delete table inet lab-cni
                wg set wg0 listen-port 51820 private-key /var/lib/meshfabric/key peer {keys[far.Name]} endpoint {far.Address}:51820 allowed-ips {pods}
                ip link set wg0 mtu 1420 up
                ip route add {pods} dev wg0
                """,
                cancellationToken);
        }

        return lab;
    }
}
