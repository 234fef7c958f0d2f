using MeshFabric.Net;

namespace MeshFabric.Lab.Topology;

/// <summary>The boxes between the gateways of a cluster and the internet.</summary>
static class NatBox
{
    // WireGuard's, one for each plane.
    const string Ports = "51820-51827";

    static readonly Cidr Between = Cidr.Parse("172.30.0.0/30");

    /// <summary>The one that the gateways are connected to.</summary>
    public static LabHost Nearest(LabTopology lab, ClusterTopology cluster) => lab[$"{cluster.Spec.Name}-nat{(cluster.Spec.Nat!.IsDouble ? "2" : "")}"];

    public static void Build(NetworkScript script, LabTopology lab, ClusterTopology cluster, NatSpec nat)
    {
        var outer = lab[$"{cluster.Spec.Name}-nat"];
        var nearest = Nearest(lab, cluster);
        script.Forwards(outer);
        NetworkBuilder.Customer(script, lab, outer, $"n{cluster.Index}", cluster.WanOf(1));
        if (nat.IsDouble)
        {
            script.Forwards(nearest);
            script.Cable(nearest, "wan", outer, "inner", lab.Spec.UnderlayMtu);
            script.Address(outer, "inner", LabTopology.At(Between, 1), 30);
            script.Address(nearest, "wan", LabTopology.At(Between, 2), 30);
            script.Ip(nearest, $"route add default via {LabTopology.At(Between, 1)}");
            script.Nft(nearest, Rules(new NatSpec(), ""));
        }

        script.Ip(nearest, "link add in type bridge");
        script.Ip(nearest, "link set in up");
        script.Address(nearest, "in", LabTopology.At(ClusterTopology.Inside, 1), 24);
        script.Nft(outer, Rules(nat, $"{(nat.IsDouble ? LabTopology.At(Between, 2) : LabTopology.At(ClusterTopology.Inside, 11))}"));
    }

    /// <param name="inside">The only host behind the box, where a mapping lets in whoever was not answered before.</param>
    static string Rules(NatSpec nat, string inside) => $$"""
        table ip nat {
          set spoken { type ipv4_addr; flags dynamic, timeout; timeout 2m; size 1024; }
          chain pre { type nat hook prerouting priority -100;
            {{Admitted(nat.Kind, inside)}}
          }
          chain spoken { type filter hook forward priority 0;
            oifname "wan" ip protocol udp update @spoken { ip daddr }
          }
          chain post { type nat hook postrouting priority 100;
            oifname "wan" masquerade{{(nat.Kind == NatKind.Symmetric ? " fully-random" : "")}}
          }
          chain input { type filter hook input priority 0;
            iifname "wan" ct state new {{(nat.AcceptsStray ? "accept" : "drop")}}
          }
        }
        """;

    static string Admitted(NatKind kind, string inside) => kind switch
    {
        NatKind.FullCone => $"iifname \"wan\" udp dport {Ports} dnat to {inside}",
        NatKind.Restricted => $"iifname \"wan\" ip saddr @spoken udp dport {Ports} dnat to {inside}",
        _ => "",
    };
}
