using System.Net;
using System.Net.Sockets;
using System.Text;
using MeshFabric.Lab.Traffic;
using MeshFabric.Net;

namespace MeshFabric.Lab.Cni;

/// <summary>A Service that a lab's cluster has.</summary>
/// <param name="Local">External traffic stays on the node that it came to.</param>
sealed record ProxiedService(string Name, string Address, IReadOnlyList<IPAddress> Endpoints, int? NodePort, bool Local)
{
    /// <summary>As kube-proxy names its ports.</summary>
    public static readonly IReadOnlyList<(string Name, string Protocol, int Port)> Ports = [("http", "tcp", PodServers.HttpPort), ("mirror", "udp", PodServers.HttpPort), ("echo", "udp", PodServers.EchoPort)];
}

/// <summary>What kube-proxy of 1.30 leaves on a node in mode nftables: one table for each family; a map of addresses, one of node ports, a chain for each Service and one for each endpoint.</summary>
/// <remarks>The kube-proxy that can be built here has no such mode. It masquerades what it marked in its chain of postrouting at srcnat, beside everybody else's.</remarks>
static class NftablesProxy
{
    const string Mark = "0x00004000";

    /// <summary>Of one family.</summary>
    /// <param name="network">The cluster's pods; those of <paramref name="services"/> that have addresses of another family are left out.</param>
    /// <param name="knowsPodCidr">Who asks a ClusterIP from outside of <paramref name="network"/> is masqueraded; else nobody is.</param>
    /// <param name="local">The node's own pods.</param>
    /// <returns>In place of all that was there.</returns>
    public static string Ruleset(Cidr network, IEnumerable<ProxiedService> services, bool knowsPodCidr, IReadOnlyCollection<IPAddress> local)
    {
        var (ip, address, loopback) = network.IsIPv4 ? ("ip", "ipv4_addr", "127.0.0.0/8") : ("ip6", "ipv6_addr", "::1");
        var clusterCidr = knowsPodCidr ? network : null;
        var (chains, addresses, nodePorts, silent) = (new StringBuilder(), new List<string>(), new List<string>(), new List<string>());
        foreach (var service in services.Where(s => IPAddress.Parse(s.Address).AddressFamily == network.Family))
        {
            foreach (var port in ProxiedService.Ports)
            {
                var name = $"default/{service.Name}/{port.Protocol}/{port.Name}";
                addresses.Add($"{service.Address} . {port.Protocol} . {port.Port} : goto service-{name}");
                chains.Append(Balanced("service", name, service.Endpoints, clusterCidr is null ? "" : $"    {ip} daddr {service.Address} {port.Protocol} dport {port.Port} {ip} saddr != {clusterCidr} jump mark-for-masquerade\n"));
                chains.Append(string.Concat(service.Endpoints.Select(e => Endpoint(name, e, port.Protocol, port.Port))));
                if (service.NodePort is { } nodePort && port.Name == "http")
                {
                    nodePorts.Add($"{port.Protocol} . {nodePort} : goto external-{name}");
                    var own = service.Endpoints.Where(local.Contains).ToList();
                    if (service.Local && own.Count == 0)
                    {
                        silent.Add($"{port.Protocol} . {nodePort} : drop");
                    }

                    chains.Append(External(service, name, clusterCidr, own));
                }
            }
        }

        return $$"""
            table {{ip}} kube-proxy
            delete table {{ip}} kube-proxy
            table {{ip}} kube-proxy {
              comment "rules for kube-proxy"
              map no-endpoint-services { type {{address}} . inet_proto . inet_service : verdict; }
              map no-endpoint-nodeports { type inet_proto . inet_service : verdict; {{Elements(silent)}}}
              map firewall-ips { type {{address}} . inet_proto . inet_service : verdict; }
              map service-ips { type {{address}} . inet_proto . inet_service : verdict; {{Elements(addresses)}}}
              map service-nodeports { type inet_proto . inet_service : verdict; {{Elements(nodePorts)}}}
              chain reject-chain { reject; }
              chain mark-for-masquerade { meta mark set meta mark or {{Mark}}; }
              chain masquerading {
                meta mark and {{Mark}} == 0 return
                meta mark set meta mark xor {{Mark}}
                masquerade fully-random
              }
            {{chains}}
              chain endpoints-check {
                {{ip}} daddr . meta l4proto . th dport vmap @no-endpoint-services
                fib daddr type local {{ip}} daddr != {{loopback}} meta l4proto . th dport vmap @no-endpoint-nodeports
              }
              chain firewall-check { {{ip}} daddr . meta l4proto . th dport vmap @firewall-ips; }
              chain services {
                {{ip}} daddr . meta l4proto . th dport vmap @service-ips
                fib daddr type local {{ip}} daddr != {{loopback}} meta l4proto . th dport vmap @service-nodeports
              }
              chain filter-prerouting { type filter hook prerouting priority dstnat - 10; ct state new jump firewall-check; }
              chain filter-input { type filter hook input priority -110; ct state new jump endpoints-check; }
              chain filter-forward { type filter hook forward priority -110; ct state new jump endpoints-check; }
              chain filter-output { type filter hook output priority -110; ct state new jump endpoints-check; ct state new jump firewall-check; }
              chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }
              chain nat-output { type nat hook output priority -100; jump services; }
              chain nat-postrouting { type nat hook postrouting priority srcnat; jump masquerading; }
            }
            """;
    }

    static string Elements(List<string> elements) => elements.Count == 0 ? "" : $"elements = {{ {string.Join(", ", elements)} }}; ";

    static string Balanced(string kind, string name, IReadOnlyList<IPAddress> endpoints, string before) =>
        Chain($"{kind}-{name}", $"{before}    numgen random mod {endpoints.Count} vmap {{ {string.Join(", ", endpoints.Select((e, i) => $"{i} : goto {EndpointChain(name, e)}"))} }}\n");

    // No colons in a chain's name.
    static string EndpointChain(string name, IPAddress endpoint) => $"endpoint-{name}__{endpoint.ToString().Replace(':', '.')}";

    // An endpoint that asks itself by its Service is masqueraded, or it would answer itself past the node.
    static string Endpoint(string name, IPAddress endpoint, string protocol, int port) =>
        Chain(EndpointChain(name, endpoint), $"    {(endpoint.AddressFamily == AddressFamily.InterNetwork ? "ip" : "ip6")} saddr {endpoint} jump mark-for-masquerade\n    meta l4proto {protocol} dnat to {new IPEndPoint(endpoint, port)}\n");

    static string External(ProxiedService service, string name, Cidr? clusterCidr, IReadOnlyList<IPAddress> own)
    {
        if (!service.Local)
        {
            return Chain($"external-{name}", $"    jump mark-for-masquerade\n    goto service-{name}\n");
        }

        var pods = clusterCidr is null ? "" : $"    {(clusterCidr.IsIPv4 ? "ip" : "ip6")} saddr {clusterCidr} goto service-{name} comment \"short-circuit pod traffic\"\n";
        return (own.Count == 0 ? "" : Balanced("local", name, own, "")) + Chain(
            $"external-{name}",
            $"""
            {pods}    fib saddr type local jump mark-for-masquerade comment "masquerade local traffic"
                fib saddr type local goto service-{name} comment "short-circuit local traffic"
            {(own.Count == 0 ? "" : $"    goto local-{name}\n")}
            """);
    }

    // A chain must be there before another one leads to it.
    static string Chain(string name, string rules) => $"  chain {name} {{\n{rules}  }}\n";
}
