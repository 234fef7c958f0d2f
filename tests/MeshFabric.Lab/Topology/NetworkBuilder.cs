using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Cni;
using MeshFabric.Lab.Kubelets;

namespace MeshFabric.Lab.Topology;

/// <summary>Turns a topology into the script that builds it.</summary>
static class NetworkBuilder
{
    public static string Script(LabTopology lab)
    {
        var script = new NetworkScript(lab.Spec.Directory);
        foreach (var host in lab.Hosts)
        {
            script.Host(host);
        }

        var inet = lab["inet"];
        script.Forwards(inet);
        Customer(script, lab, lab["control"], "ctl", Net.Cidr.Parse("203.0.113.0/30"));
        foreach (var cluster in lab.Clusters)
        {
            if (cluster.Spec.Kubelets > 0)
            {
                KubeNetwork.Build(script, lab, cluster);
            }
            else if (cluster.Spec.Cni is null)
            {
                Cluster(script, lab, cluster);
            }
            else
            {
                CniClusterBuilder.Build(script, new CniCluster(lab, cluster));
            }
        }

        return script.ToString();
    }

    /// <summary>Connects a host to the internet: the router has the first address of the /30, the host the second.</summary>
    public static void Customer(NetworkScript script, LabTopology lab, LabHost host, string port, Net.Cidr wan)
    {
        script.Cable(host, "wan", lab["inet"], port, lab.Spec.UnderlayMtu);
        script.Address(lab["inet"], port, LabTopology.At(wan, 1), 30);
        script.Address(host, "wan", LabTopology.At(wan, 2), 30);
        script.Ip(host, $"route add default via {LabTopology.At(wan, 1)}");
    }

    static void Cluster(NetworkScript script, LabTopology lab, ClusterTopology cluster)
    {
        var name = cluster.Spec.Name;
        var lan = lab[$"{name}-lan"];
        script.Ip(lan, "link add lan type bridge");
        script.Ip(lan, $"link set lan mtu {cluster.Spec.Mtu} up");
        if (cluster.Spec.Nat is { } nat)
        {
            NatBox.Build(script, lab, cluster, nat);
        }

        for (var g = 1; g <= cluster.Spec.Gateways; g++)
        {
            Gateway(script, lab, cluster, g);
        }

        for (var w = 1; w <= cluster.Spec.Workers; w++)
        {
            Worker(script, lab, cluster, w);
        }
    }

    static void Gateway(NetworkScript script, LabTopology lab, ClusterTopology cluster, int g)
    {
        var gateway = lab[$"{cluster.Spec.Name}-gw{g}"];
        script.Forwards(gateway);
        if (cluster.Spec.Nat is null)
        {
            Customer(script, lab, gateway, $"c{cluster.Index}g{g}", cluster.WanOf(g));
        }
        else
        {
            var box = NatBox.Nearest(lab, cluster);
            script.Cable(gateway, "wan", box, $"g{g}", lab.Spec.UnderlayMtu);
            script.Ip(box, $"link set g{g} master in");
            script.Address(gateway, "wan", gateway.Address!, 24);
            script.Ip(gateway, $"route add default via {LabTopology.At(ClusterTopology.Inside, 1)}");
        }

        Lan(script, lab, cluster, gateway, 10 + g);
        for (var w = 1; w <= cluster.Spec.Workers && cluster.Spec.PodCidr is not null; w++)
        {
            RouteToWorker(script, cluster, gateway, w);
        }

        // As a CNI plug-in does it: what leaves the cluster takes the host's address, whichever way it goes. A source address that is kept is therefore no accident.
        var own = new[] { cluster.Spec.PodCidr is null ? null : $"ip saddr {cluster.Spec.PodCidr} ip daddr != {cluster.Spec.PodCidr}", cluster.Spec.PodCidr6 is null ? null : $"ip6 saddr {cluster.Spec.PodCidr6} ip6 daddr != {cluster.Spec.PodCidr6}" };
        script.Nft(gateway, $$"""
            table inet lab-cni {
              chain post { type nat hook postrouting priority 100;
                {{string.Join("\n    ", own.OfType<string>().Select(rule => rule + " masquerade"))}}
                oifname "wan" ip saddr {{cluster.Lan}} masquerade
              }
            }
            """);
    }

    static void Worker(NetworkScript script, LabTopology lab, ClusterTopology cluster, int w)
    {
        var spec = cluster.Spec;
        var worker = lab[$"{spec.Name}-w{w}"];
        script.Forwards(worker);
        Lan(script, lab, cluster, worker, 20 + w);
        for (var other = 1; other <= spec.Workers && spec.PodCidr is not null; other++)
        {
            if (other != w)
            {
                RouteToWorker(script, cluster, worker, other);
            }
        }

        script.Ip(worker, $"route add default via {LabTopology.At(cluster.Lan, 11)}");
        foreach (var family in new[] { AddressFamily.InterNetwork, AddressFamily.InterNetworkV6 })
        {
            var lan = family == AddressFamily.InterNetwork ? cluster.Lan : cluster.Lan6;
            var hops = string.Concat(Enumerable.Range(1, spec.Gateways).Select(g => $" nexthop via {LabTopology.At(lan, 10 + g)} dev lan"));
            foreach (var destination in cluster.MeshDestinations(lab.Spec, family))
            {
                script.Ip(worker, $"route add {destination}{hops}");
            }
        }

        if (spec.PodCidr is not null)
        {
            Pods(script, lab, cluster, worker, w);
        }
    }

    static void Pods(NetworkScript script, LabTopology lab, ClusterTopology cluster, LabHost worker, int w)
    {
        var spec = cluster.Spec;
        var cidr = cluster.PodCidr(w);
        script.Ip(worker, "link add cni0 type bridge");
        script.Ip(worker, $"link set cni0 mtu {spec.Mtu} up");
        script.Address(worker, "cni0", LabTopology.At(cidr, 1), 24);
        if (cluster.PodCidr6(w) is { } six)
        {
            script.Address(worker, "cni0", LabTopology.At(six, 1), 64);
        }

        for (var p = 1; p <= spec.PodsPerWorker; p++)
        {
            var pod = lab[$"{spec.Name}-w{w}-p{p}"];
            script.Cable(pod, "eth0", worker, $"p{p}", spec.Mtu);
            script.Ip(worker, $"link set p{p} master cni0");
            script.Address(pod, "eth0", pod.Address!, 24);
            script.Ip(pod, $"route add default via {LabTopology.At(cidr, 1)}");
            if (pod.Address6 is not null)
            {
                script.Address(pod, "eth0", pod.Address6, 64);
                script.Ip(pod, $"route add default via {LabTopology.At(cluster.PodCidr6(w)!, 1)}");
            }
        }

        // As a CNI does it: pods take the node's address towards all that is not the cluster's own, the mesh exempted or not.
        var exempt = spec.MasqueradesMesh ? [spec.PodCidr!] : new[] { spec.PodCidr! }.Concat(cluster.MeshDestinations(lab.Spec, AddressFamily.InterNetwork));
        script.Nft(worker, $$"""
            table ip lab-cni {
              chain post { type nat hook postrouting priority 100;
                oifname "lan" ip saddr {{cidr}} ip daddr != { {{string.Join(", ", exempt)}} } masquerade
              }
            }
            """);
    }

    static void Lan(NetworkScript script, LabTopology lab, ClusterTopology cluster, LabHost host, int number)
    {
        var lan = lab[$"{cluster.Spec.Name}-lan"];
        script.Cable(host, "lan", lan, host.ShortName, cluster.Spec.Mtu);
        script.Ip(lan, $"link set {host.ShortName} master lan");
        script.Address(host, "lan", LabTopology.At(cluster.Lan, number), 24);
        script.Address(host, "lan", LabTopology.At(cluster.Lan6, number), 64);
    }

    static void RouteToWorker(NetworkScript script, ClusterTopology cluster, LabHost host, int w)
    {
        script.Ip(host, $"route add {cluster.PodCidr(w)} via {LabTopology.At(cluster.Lan, 20 + w)}");
        if (cluster.PodCidr6(w) is { } six)
        {
            script.Ip(host, $"route add {six} via {LabTopology.At(cluster.Lan6, 20 + w)}");
        }
    }
}
