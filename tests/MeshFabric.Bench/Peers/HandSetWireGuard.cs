using System.Globalization;
using MeshFabric.Lab.Topology;
using MeshFabric.TestKit;

namespace MeshFabric.Bench.Peers;

/// <summary>wireguard-go as an administrator sets it up by hand with wg and ip, nothing else.</summary>
public static class HandSetWireGuard
{
    const int FirstPort = 51820;

    /// <param name="devices">On each side, each with a peer of its own on the other; with more than one, flows are spread over them by their ports.</param>
    public static Task<Lab.Lab> CreateAsync(string name, CancellationToken cancellationToken, int devices = 1) => PeerLab.CreateAsync(
        name,
        async lab =>
        {
            var keys = new Dictionary<(string Gateway, string Device), string>();
            foreach (var (gateway, _, _) in TwoSites.Sides(lab.Topology))
            {
                await lab.ShellAsync(gateway.Name, "nft delete table inet lab-cni", cancellationToken);
                foreach (var device in Devices(devices))
                {
                    keys[(gateway.Name, device)] = await StartAsync(lab, gateway.Name, device, cancellationToken);
                }
            }

            foreach (var (gateway, far, pods) in TwoSites.Sides(lab.Topology))
            {
                foreach (var (device, i) in Devices(devices).Select((d, i) => (d, i)))
                {
                    await lab.ShellAsync(
                        gateway.Name,
                        $"""
                        wg set {device} listen-port {FirstPort + i} private-key /var/lib/meshfabric/{device}.key peer {keys[(far.Name, device)]} endpoint {far.Address}:{FirstPort + i} allowed-ips {pods}
                        ip link set {device} mtu 1420 up
                        """,
                        cancellationToken);
                }

                await lab.ShellAsync(gateway.Name, $"ip route add {pods} {string.Concat(Devices(devices).Select(d => devices == 1 ? $"dev {d}" : $" nexthop dev {d}"))}", cancellationToken);
            }
        },
        cancellationToken);

    /// <summary>Their names.</summary>
    public static IEnumerable<string> Devices(int count) => Enumerable.Range(0, count).Select(i => string.Create(CultureInfo.InvariantCulture, $"wg{i}"));

    /// <summary>Of all wireguard-go processes of both sides since they began, seconds of one processor.</summary>
    public static double ProcessorSeconds(Lab.Lab lab, int devices) => (
        from side in TwoSites.Sides(lab.Topology)
        from device in Devices(devices)
        select Seconds(lab, side.Gateway, device)).Sum();

    static double Seconds(Lab.Lab lab, LabHost gateway, string device)
    {
        using var process = System.Diagnostics.Process.GetProcessById(lab.Process(gateway.Name, device).Pid ?? throw new InvalidOperationException($"wireguard-go of {device} in {gateway.Name} has ended"));
        return process.TotalProcessorTime.TotalSeconds;
    }

    static async Task<string> StartAsync(Lab.Lab lab, string gateway, string device, CancellationToken cancellationToken)
    {
        await lab.StartAsync(gateway, device, ["wireguard-go", "-f", device], cancellationToken);
        await Until.TrueAsync(async () => (await lab.ExecAsync(gateway, ["test", "-S", $"/run/wireguard/{device}.sock"], cancellationToken)).ExitCode == 0, TimeSpan.FromSeconds(20), "wireguard-go", cancellationToken);
        return (await lab.ShellAsync(gateway, $"umask 077; wg genkey >/var/lib/meshfabric/{device}.key; wg pubkey </var/lib/meshfabric/{device}.key", cancellationToken)).Trim();
    }
}
