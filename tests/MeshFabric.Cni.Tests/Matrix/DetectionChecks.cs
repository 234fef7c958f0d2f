using System.Text.Json;
using MeshFabric.Lab.Cni;
using MeshFabric.TestKit;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>What the control service is told of a cluster that joined.</summary>
static class DetectionChecks
{
    // Encapsulation null: the fixture has none that the plug-in would have.
    static readonly Dictionary<string, (string Plugin, string? Encapsulation, string Policy)> Facts = new()
    {
        ["flannel-vxlan"] = ("flannel", "vxlan", "none"),
        ["flannel-host-gw"] = ("flannel", "host-gw", "none"),
        ["flannel-nftables"] = ("flannel", "vxlan", "none"),
        ["calico-vxlan-3.28"] = ("calico", "vxlan", "calico"),
        ["calico-vxlan"] = ("calico", "vxlan", "calico"),
        ["calico-nftables"] = ("calico", "vxlan", "calico"),
        ["calico-bgp"] = ("calico", "bgp", "calico"),
        ["canal"] = ("canal", "vxlan", "calico"),
        ["weave"] = ("weave", null, "weave-npc"),
        ["bridge"] = ("bridge", null, "none"),
        ["ptp"] = ("ptp", null, "none"),
        ["kindnet"] = ("kindnet", null, "none"),
    };

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    /// <summary>Data path, policy engine and service proxy, and the pod CIDR by its own source.</summary>
    public static async Task ThreeFactsAsync(Row row)
    {
        var (plugin, encapsulation, policy) = Facts[row.Plugin];
        var wanted = $"{plugin} {encapsulation ?? "*"}, {policy}, kube-proxy {(row.Proxy == ProxyMode.Nftables ? "nftables" : "iptables")}, {row.Lab.Topology.Cluster(row.Cluster).Spec.PodCidr}";
        var told = "";
        await Until.TrueAsync(async () => (told = await ToldAsync(row, encapsulation is not null)) == wanted, Row.Heal, () => $"'{wanted}' to be told of {row.Cluster}; it is '{told}'", Cancellation);
    }

    static async Task<string> ToldAsync(Row row, bool encapsulation)
    {
        using var cluster = JsonDocument.Parse(await row.Mesh.MfctlAsync(Cancellation, "cluster", "get", row.Cluster, "-o", "json"));
        var status = cluster.RootElement.GetProperty("status");
        if (!status.TryGetProperty("networking", out var networking) || networking.ValueKind != JsonValueKind.Object)
        {
            return "nothing";
        }

        string Fact(string part, string name) => networking.GetProperty(part).GetProperty(name).GetString()!;
        var pods = status.GetProperty("prefixes").EnumerateArray().Where(p => !p.TryGetProperty("services", out _)).Select(p => p.GetProperty("local").GetString()).Where(p => !p!.Contains(':', StringComparison.Ordinal));
        return $"{Fact("dataPath", "plugin")} {(encapsulation ? Fact("dataPath", "encapsulation") : "*")}, {Fact("policyEngine", "name")}, {Fact("serviceProxy", "name")} {Fact("serviceProxy", "mode")}, {string.Join(' ', pods)}";
    }
}
