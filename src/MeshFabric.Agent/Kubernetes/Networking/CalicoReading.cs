using System.Text.Json;
using k8s.Models;
using MeshFabric.Net;

namespace MeshFabric.Agent.Kubernetes.Networking;

/// <summary>What Calico's objects say. Pure.</summary>
static class CalicoReading
{
    public const string ManagedBy = "app.kubernetes.io/managed-by";
    public const string Us = "meshfabric";

    /// <summary>False where Calico only enforces policies and another plug-in carries the packets.</summary>
    public static bool CarriesPods(V1DaemonSet set, CniSettings cni)
    {
        if (cni.Calico.Installation is { } installation && Text(installation, "spec", "cni", "type") is { Length: > 0 } type)
        {
            return type == "Calico";
        }

        var backend = set.Environment("CALICO_NETWORKING_BACKEND") ?? (cni.ConfigMaps.TryGetValue("calico-config", out var map) ? map.GetValueOrDefault("calico_backend") : null);
        return backend != "none";
    }

    /// <summary>Of the pools that pods get addresses from, ours for the mesh left out.</summary>
    public static ValueList<Cidr> PoolCidrs(CalicoObjects calico) =>
        Pools(calico).SelectMany(p => ClusterCidrs.ParseList(Text(p, "spec", "cidr"))).Distinct().Order().ToValueList();

    /// <summary>One word for all pools: the strongest that any of them has.</summary>
    public static string Encapsulation(CniSettings cni)
    {
        if (cni.Calico.Felix is { } felix && (Flag(felix, "spec", "wireguardEnabled") || Flag(felix, "spec", "wireguardEnabledV6")))
        {
            return "wireguard";
        }

        var pools = Pools(cni.Calico).ToList();
        var modes = pools.Select(p => (Ipip: Text(p, "spec", "ipipMode"), Vxlan: Text(p, "spec", "vxlanMode"))).ToList();
        return modes.Exists(m => m.Vxlan == "Always") ? "vxlan"
            : modes.Exists(m => m.Ipip == "Always") ? "ipip"
            : modes.Exists(m => m.Vxlan == "CrossSubnet") ? "vxlan-cross-subnet"
            : modes.Exists(m => m.Ipip == "CrossSubnet") ? "ipip-cross-subnet"
            : modes.Count == 0 ? ""
            : cni.Calico.Installation is { } installation && Text(installation, "spec", "calicoNetwork", "bgp") == "Disabled" ? "none"
            : "bgp";
    }

    public static bool IsEbpf(CalicoObjects calico) => calico.Felix is { } felix && Flag(felix, "spec", "bpfEnabled");

    /// <summary>Blocks that belong to a node; addresses of other nodes' pods may still be borrowed from them.</summary>
    public static ValueList<Cidr> BlocksOf(CalicoObjects calico, string node) => calico.BlockAffinities
        .Where(b => Text(b, "spec", "node") == node && Text(b, "spec", "state") is "confirmed" && Text(b, "spec", "deleted") != "true")
        .SelectMany(b => ClusterCidrs.ParseList(Text(b, "spec", "cidr")))
        .Distinct().Order().ToValueList();

    static IEnumerable<JsonElement> Pools(CalicoObjects calico) => calico.Pools.Where(p =>
        !Flag(p, "spec", "disabled") && !IsOurs(p) && (At(p, "spec", "allowedUses") is not { ValueKind: JsonValueKind.Array } uses || uses.EnumerateArray().Any(u => u.ValueKind == JsonValueKind.String && u.GetString() == "Workload")));

    /// <summary>One of <see cref="CalicoPools"/>.</summary>
    public static bool IsOurs(JsonElement pool) => At(pool, "metadata", "labels") is { ValueKind: JsonValueKind.Object } labels
        && labels.TryGetProperty(ManagedBy, out var by) && by.ValueKind == JsonValueKind.String && by.GetString() == Us;

    public static string Text(JsonElement item, params string[] path) => At(item, path) is { ValueKind: JsonValueKind.String } value ? value.GetString()! : "";

    public static bool Flag(JsonElement item, params string[] path) => At(item, path) is { ValueKind: JsonValueKind.True };

    static JsonElement? At(JsonElement item, params string[] path)
    {
        foreach (var name in path)
        {
            if (item.ValueKind != JsonValueKind.Object || !item.TryGetProperty(name, out item))
            {
                return null;
            }
        }

        return item;
    }
}
