using MeshFabric.Lab.Processes;

namespace MeshFabric.Bench.Peers;

/// <summary>Nebula between the two gateways, each routing its site's pods (unsafe_routes).</summary>
public static class Nebula
{
    public static Task<Lab.Lab> CreateAsync(string name, CancellationToken cancellationToken) => PeerLab.CreateAsync(name, lab => SetUpAsync(lab, cancellationToken), cancellationToken);

    static async Task SetUpAsync(Lab.Lab lab, CancellationToken cancellationToken)
    {
        var folder = Path.Combine(lab.Directory, "nebula");
        Directory.CreateDirectory(folder);
        (await Command.RunAsync(["nebula-cert", "ca", "-name", "bench", "-out-crt", $"{folder}/ca.crt", "-out-key", $"{folder}/ca.key"], null, cancellationToken)).Checked("nebula-cert");
        foreach (var (gateway, far, pods) in TwoSites.Sides(lab.Topology))
        {
            var own = pods == "10.20.0.0/16" ? "10.10.0.0/16" : "10.20.0.0/16";
            (await Command.RunAsync(
                ["nebula-cert", "sign", "-ca-crt", $"{folder}/ca.crt", "-ca-key", $"{folder}/ca.key", "-name", gateway.Name, "-ip", $"{Address(gateway.Cluster)}/24", "-subnets", own,
                    "-out-crt", $"{folder}/{gateway.Name}.crt", "-out-key", $"{folder}/{gateway.Name}.key"],
                null,
                cancellationToken)).Checked("nebula-cert");
            await File.WriteAllTextAsync($"{folder}/{gateway.Name}.yml", $$"""
                pki: { ca: {{folder}}/ca.crt, cert: {{folder}}/{{gateway.Name}}.crt, key: {{folder}}/{{gateway.Name}}.key }
                static_host_map: { "{{Address(far.Cluster)}}": ["{{far.Address}}:4242"] }
                lighthouse: { am_lighthouse: true }
                listen: { host: 0.0.0.0, port: 4242 }
                punchy: { punch: true }
                tun: { dev: neb0, mtu: 1420, unsafe_routes: [ { route: {{pods}}, via: {{Address(far.Cluster)}} } ] }
                logging: { level: error, format: text }
                firewall:
                  outbound: [ { port: any, proto: any, host: any } ]
                  inbound: [ { port: any, proto: any, host: any } ]

                """, cancellationToken);
            await lab.ShellAsync(gateway.Name, "nft delete table inet lab-cni", cancellationToken);
        }

        foreach (var (gateway, _, _) in TwoSites.Sides(lab.Topology))
        {
            await lab.StartAsync(gateway.Name, "nebula", ["nebula", "-config", $"{folder}/{gateway.Name}.yml"], cancellationToken);
        }
    }

    static string Address(string cluster) => cluster == "a" ? "192.168.77.1" : "192.168.77.2";
}
