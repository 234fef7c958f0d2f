using System.Text;

namespace MeshFabric.Lab.Topology;

/// <summary>
/// A shell script that makes namespaces and all in them, few processes per namespace:
/// <c>ip -batch</c>, sysctls, <c>bridge -batch</c>, sets, iptables and nft rulesets collected by host.
/// </summary>
/// <param name="directory">The lab's.</param>
sealed class NetworkScript(string directory)
{
    readonly StringBuilder _outside = new();
    readonly StringBuilder _files = new();
    readonly Dictionary<string, Inside> _inside = new(StringComparer.Ordinal);

    public void Host(LabHost host)
    {
        _outside.Append("netns add ").Append(host.Namespace).Append('\n');
        _inside.Add(host.Namespace, new Inside(host.Name));
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

    /// <summary>A line of <c>bridge -batch</c>, after all of <c>ip</c>.</summary>
    public void Bridge(LabHost host, string command) => _inside[host.Namespace].Bridge.Append(command).Append('\n');

    /// <summary>Lines of <c>ipset restore</c>.</summary>
    public void IpSet(LabHost host, string lines) => _inside[host.Namespace].IpSets.Append(lines).Append('\n');

    /// <summary>Tables as <c>iptables-restore --noflush</c> reads them.</summary>
    public void Iptables(LabHost host, string tables) => _inside[host.Namespace].Iptables.Append(tables).Append('\n');

    /// <summary>As <see cref="Iptables"/>, for IPv6.</summary>
    public void Ip6tables(LabHost host, string tables) => _inside[host.Namespace].Ip6tables.Append(tables).Append('\n');

    /// <summary>Commands that run in the finished host, as its own programs see it.</summary>
    public void Shell(LabHost host, string commands) => _inside[host.Namespace].Shell.Append(commands).Append('\n');

    /// <summary>A directory of the host's own, below /run, /var/lib or /etc, the same for all its programs.</summary>
    public void Directory(LabHost host, string path) => _files.Append($"mkdir -p {directory}/hosts/{host.Name}/root{path}\n");

    /// <summary>A file below /run, /var/lib or /etc of the host.</summary>
    public void File(LabHost host, string path, string content)
    {
        Directory(host, path[..path.LastIndexOf('/')]);
        _files.Append($"cat >{directory}/hosts/{host.Name}/root{path} <<'END'\n").Append(content.Trim('\n')).Append("\nEND\n");
    }

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
        var script = new StringBuilder("set -e\nip -batch - <<'END'\n").Append(_outside).Append("END\n").Append(_files);
        foreach (var (name, inside) in _inside)
        {
            script.Append($"ip netns exec {name} sh -e <<'SCRIPT'\n");
            foreach (var setting in inside.Sysctls)
            {
                var (key, value) = (setting[..setting.IndexOf('=', StringComparison.Ordinal)], setting[(setting.IndexOf('=', StringComparison.Ordinal) + 1)..]);
                script.Append($"echo '{value}' >/proc/sys/{key.Replace('.', '/')}\n");
            }

            foreach (var (program, text) in new[] { ("ip -batch -", inside.Ip), ("bridge -batch -", inside.Bridge), ("ipset restore", inside.IpSets), ("iptables-nft-restore --noflush", inside.Iptables), ("ip6tables-nft-restore --noflush", inside.Ip6tables), ("nft -f -", inside.Nft) })
            {
                if (text.Length > 0)
                {
                    script.Append(program).Append(" <<'END'\n").Append(text).Append("END\n");
                }
            }

            script.Append("SCRIPT\n");
        }

        foreach (var inside in _inside.Values.Where(i => i.Shell.Length > 0))
        {
            script.Append($"{directory}/on {inside.Host} sh -e <<'SCRIPT'\n").Append(inside.Shell).Append("SCRIPT\n");
        }

        return script.ToString();
    }

    sealed record Inside(string Host)
    {
        public List<string> Sysctls { get; } = [];

        public StringBuilder Ip { get; } = new("link set lo up\n");

        public StringBuilder Bridge { get; } = new();

        public StringBuilder IpSets { get; } = new();

        public StringBuilder Iptables { get; } = new();
        public StringBuilder Ip6tables { get; } = new();

        public StringBuilder Nft { get; } = new();

        public StringBuilder Shell { get; } = new();
    }
}
