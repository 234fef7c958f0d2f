using System.Net;
using System.Net.Sockets;
using MeshFabric.Lab.Topology;

namespace MeshFabric.Lab.Traffic;

/// <summary>Whom a host sees when it is pinged.</summary>
public static class PingListener
{
    const byte EchoRequest = 8; // RFC 792
    const byte EchoRequest6 = 128; // RFC 4443

    /// <summary>Pings <paramref name="to"/> from one host until the other is asked by somebody new; null when nobody asks it in time.</summary>
    /// <param name="at">The host that has the address, by whatever name it is called on the way.</param>
    public static async Task<IPAddress?> SeenAsAsync(Lab lab, LabHost from, LabHost at, IPAddress to, TimeSpan limit, CancellationToken cancellationToken)
    {
        var v4 = to.AddressFamily == AddressFamily.InterNetwork;
        using var socket = NamespaceSocket.Open(at, to.AddressFamily, SocketType.Raw, v4 ? ProtocolType.Icmp : ProtocolType.IcmpV6);
        using var timeout = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        timeout.CancelAfter(limit);
        // Two bytes that ping repeats over the whole packet: others may ping the host too.
        var mark = Random.Shared.Next(0x1000, 0xffff);
        var pinging = lab.ExecAsync(from.Name, ["ping", "-n", "-c", $"{Math.Max(1, (int)limit.TotalSeconds)}", "-W", "1", "-p", $"{mark:x4}", to.ToString()], cancellationToken);
        var buffer = new byte[2048];
        try
        {
            while (true)
            {
                var received = await socket.ReceiveFromAsync(buffer, new IPEndPoint(v4 ? IPAddress.Any : IPAddress.IPv6Any, 0), timeout.Token);
                // A raw IPv4 socket gives the IP header too, an IPv6 one does not.
                var icmp = buffer.AsMemory(0, received.ReceivedBytes)[(v4 ? (buffer[0] & 0xf) * 4 : 0)..];
                if (icmp.Span[0] == (v4 ? EchoRequest : EchoRequest6) && icmp.Length > 40 && icmp.Span[^2..].SequenceEqual(new[] { (byte)(mark >> 8), (byte)mark }))
                {
                    return ((IPEndPoint)received.RemoteEndPoint).Address;
                }
            }
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            return null;
        }
        finally
        {
            await pinging;
        }
    }
}
