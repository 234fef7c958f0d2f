namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>What is asked of the mesh with every plug-in, in the order in which it is asked.</summary>
static class Checks
{
    public static readonly IReadOnlyList<(string Name, Func<Row, Task> Run)> All =
    [
        ("joins, three facts", DetectionChecks.ThreeFactsAsync),
        ("sources kept, pods", SourceChecks.PodsAsync),
        ("sources kept, ICMP", SourceChecks.IcmpAsync),
        ("sources kept, host network", SourceChecks.HostNetworkAsync),
        ("sources kept, imported Service", SourceChecks.ImportedServiceAsync),
        ("sources kept, remote ClusterIP", SourceChecks.RemoteServiceAsync),
        ("sources kept, IPv6", IPv6Checks.PodsAsync),
        ("IPv6, host network", IPv6Checks.HostNetworkAsync),
        ("IPv6, Services", IPv6Checks.ServicesAsync),
        ("hidden without exemption", SourceChecks.HiddenWithoutExemptionAsync),
        ("machine outside", OutsideChecks.MachineAsync),
        ("cluster's own traffic unchanged", OwnTrafficChecks.UnchangedAsync),
        ("east-west and north-south counted", TrafficChecks.CountedAsync),
        ("NodePort and hairpin", OwnTrafficChecks.NodePortsAsync),
        ("routes apart", SteeringChecks.RoutesApartAsync),
        ("gateway fails", SteeringChecks.GatewayFailsAsync),
        ("node goes and comes", SteeringChecks.NodeGoesAndComesAsync),
        ("fewer gateways", SteeringChecks.FewerGatewaysAsync),
        ("node's ranges move", SteeringChecks.RangesMoveAsync),
        ("overlay's port taken", SteeringChecks.PortTakenAsync),
        ("rules rewritten", HostileChecks.RulesRewrittenAsync),
        ("iptables flushed", HostileChecks.FlushedAsync),
        ("FORWARD drops", HostileChecks.ForwardDropsAsync),
        ("legacy rules too", HostileChecks.LegacyMasqueradeAsync),
        ("rp_filter strict", HostileChecks.StrictSourcesAsync),
        ("network policy, ingress", PolicyChecks.IngressAsync),
        ("network policy, egress", PolicyChecks.EgressAsync),
        ("mesh in Calico's pools", PoolChecks.MeshIsInPoolsAsync),
        ("1 MB without ICMP", MtuChecks.BulkWithoutIcmpAsync),
        ("large datagrams", MtuChecks.LargeDatagramsAsync),
        ("pods come and go", ChurnChecks.PodsComeAndGoAsync),
        ("leaves no trace", LeaveChecks.NoTraceAsync),
    ];
}
