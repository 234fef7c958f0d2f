using System.Net;
using MeshFabric.Net;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>A flow that a node's connection tracking follows: as it was asked, and how it is answered.</summary>
sealed record Flow(IPAddress Source, IPAddress Destination, IPAddress AnsweredFrom, IPAddress AnsweredTo)
{
    /// <summary>Somebody translated one of its addresses.</summary>
    public bool IsChanged => !Source.Equals(AnsweredTo) || !Destination.Equals(AnsweredFrom);

    public bool IsTo(params IPAddress[] addresses) => addresses.Contains(Destination);
}

static class Flows
{
    /// <summary>Those with an address of a prefix in them, of TCP, UDP and ICMP.</summary>
    public static async Task<IReadOnlyList<Flow>> OfAsync(Lab.Lab lab, string node, Cidr prefix, CancellationToken cancellationToken)
    {
        var lines = (await lab.ShellAsync(node, $"conntrack -L -f {(prefix.IsIPv4 ? "ipv4" : "ipv6")} 2>/dev/null || true", cancellationToken)).Split('\n');
        return
        [
            .. lines
                .Select(l => l.Split(' ').Where(w => w.StartsWith("src=", StringComparison.Ordinal) || w.StartsWith("dst=", StringComparison.Ordinal)).Select(w => IPAddress.Parse(w[4..])).ToList())
                .Where(a => a.Count == 4 && a.Exists(prefix.Contains))
                .Select(a => new Flow(a[0], a[1], a[2], a[3])),
        ];
    }
}
