using System.Globalization;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Bench.Measuring;

/// <summary>Connections of a lab's gateways to its internet that carry no more than they are told to.</summary>
static class Uplinks
{
    /// <summary>Each gateway's own, both ways, by a token bucket (tc-tbf).</summary>
    /// <param name="mbps">Mbit/s each way.</param>
    public static async Task ShapeAsync(Lab.Lab lab, int mbps, CancellationToken cancellationToken)
    {
        foreach (var gateway in lab.Topology.Gateways)
        {
            await ShapeAsync(lab, gateway.Name, "wan", mbps, cancellationToken);
            await ShapeAsync(lab, "inet", RouterPort(lab.Topology, gateway), mbps, cancellationToken);
        }
    }

    // The bucket holds a packet as large as the kernel makes them (64 KiB), or each would be cut up here. It queues for 20 ms or so at 50 Mbit/s: the agents' probes,
    // which wait in the same queues, have 150 ms for four of them.
    static Task<string> ShapeAsync(Lab.Lab lab, string host, string device, int mbps, CancellationToken cancellationToken) =>
        lab.ShellAsync(host, string.Create(CultureInfo.InvariantCulture, $"tc qdisc replace dev {device} root tbf rate {mbps}mbit burst 66kb latency 10ms"), cancellationToken);

    static string RouterPort(LabTopology topology, LabHost gateway) =>
        string.Create(CultureInfo.InvariantCulture, $"c{topology.Cluster(gateway.Cluster).Index}g{gateway.ShortName["gw".Length..]}");
}
