using System.Text;

namespace MeshFabric.Lab.Topology;

/// <summary>A shell script that makes namespaces and all in them, few processes per namespace: <c>ip -batch</c>, sysctls and nft rulesets collected by host.</summary>
sealed class NetworkScript
{
    readonly StringBuilder _outside = new();
    readonly Dictionary<string, (StringBuilder Ip, List<string> Sysctls, StringBuilder Nft)> _inside = new(StringComparer.Ordinal);

    public void Host(LabHost host)
    {
        _outside.Append("netns add ").Append(host.Namespace).Append('\n');
        _inside.Add(host.Namespace, (new StringBuilder("link set lo up\n"), [], new StringBuilder()));
        // Addresses are ours alone: duplicate detection would only delay them.
        Sysctl(host, "net.ipv6.conf.default.accept_dad=0");
        Sysctl(host, "net.ipv6.conf.all.accept_dad=0");
        Sysctl(host, "net.ipv6.conf.default.router_solicitations=0");
        Sysctl(host, "net.ipv4.ping_group_range=0 2147483647");
    }

    /// <summary>A pair of virtual network cards, up, each in its host.</summary>
    public void Cable(LabHost a, string aName, LabHost b, string bName, int mtu)
    {
        _outside.Append($"link add {aName} mtu {mtu} netns {a.Namespace} type veth peer name {bName} mtu {mtu} netns {b.Namespace}\n");
        Ip(a, $"link set {aName} up");
        Ip(b, $"link set {bName} up");
    }

    public void Ip(LabHost host, string command) => _inside[host.Namespace].Ip.Append(command).Append('\n');

    public void Address(LabHost host, string device, object address, int length) =>
        Ip(host, $"addr add {address}/{length} dev {device}{(address.ToString()!.Contains(':', StringComparison.Ordinal) ? " nodad" : "")}");

    public void Sysctl(LabHost host, string setting) => _inside[host.Namespace].Sysctls.Add(setting);

    public void Nft(LabHost host, string ruleset) => _inside[host.Namespace].Nft.Append(ruleset).Append('\n');

    public void Forwards(LabHost host)
    {
        foreach (var setting in new[]
        {
            "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1", "net.ipv4.conf.all.rp_filter=0", "net.ipv4.conf.default.rp_filter=0",
            "net.ipv4.fib_multipath_hash_policy=1", "net.ipv6.fib_multipath_hash_policy=1",
        })
        {
            Sysctl(host, setting);
        }
    }

    public override string ToString()
    {
        var script = new StringBuilder("set -e\nip -batch - <<'END'\n").Append(_outside).Append("END\n");
        foreach (var (name, inside) in _inside)
        {
            script.Append($"ip netns exec {name} sh -e <<'SCRIPT'\n");
            foreach (var setting in inside.Sysctls)
            {
                var (key, value) = (setting[..setting.IndexOf('=', StringComparison.Ordinal)], setting[(setting.IndexOf('=', StringComparison.Ordinal) + 1)..]);
                script.Append($"echo '{value}' >/proc/sys/{key.Replace('.', '/')}\n");
            }

            script.Append("ip -batch - <<'END'\n").Append(inside.Ip).Append("END\n");
            if (inside.Nft.Length > 0)
            {
                script.Append("nft -f - <<'END'\n").Append(inside.Nft).Append("END\n");
            }

            script.Append("SCRIPT\n");
        }

        return script.ToString();
    }
}
