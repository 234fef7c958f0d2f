using System.Net;
using System.Net.Sockets;
using MeshFabric.Agent.Probing;
using MeshFabric.Domain.Planning;

namespace MeshFabric.Agent.Nodes;

/// <summary>While this node is a gateway: tells the other nodes of its cluster, each time they ask by the overlay, whether it carries traffic.</summary>
sealed class GatewayAnswers(Func<bool> carries, TimeProvider time) : IDisposable
{
    IcmpSocket? _socket;
    (int Link, IPAddress Address)? _bound;

    /// <summary>Answers where the config says; nowhere on a node that is no gateway.</summary>
    /// <param name="link">Number of the overlay's link, which sockets are bound to.</param>
    public void Want(OverlayFacts facts, NodeConfig config, int? link)
    {
        var address = facts.Gateways.FirstOrDefault(g => g.Node == config.Node)?.TunnelAddresses.FirstOrDefault(a => a.IsIPv4)?.Address;
        (int Link, IPAddress Address)? wanted = link is { } number && address is not null ? (number, address) : null;
        if (wanted == _bound)
        {
            return;
        }

        Reset();
        if (wanted is null || config.Overlay is not { } overlay)
        {
            return;
        }

        try
        {
            var socket = new IcmpSocket(overlay.Name, wanted.Value.Address, time);
            (_socket, _bound) = (socket, wanted);
            _ = socket.ReceiveAsync((buffer, length, from) => Answer(socket, buffer.AsSpan(0, length), from));
        }
        catch (SocketException)
        {
            // The address comes with the tunnels; the next turn tries again.
        }
    }

    void Reset()
    {
        _socket?.Dispose();
        (_socket, _bound) = (null, null);
    }

    public void Dispose() => Reset();

    void Answer(IcmpSocket socket, ReadOnlySpan<byte> packet, IPAddress to)
    {
        if (IcmpPacket.TryRead(packet, IcmpPacket.EchoRequest, out var identifier, out var sequence, out var payload) && AgentEcho.IsRequest(payload))
        {
            _ = SendAsync(socket, IcmpPacket.Echo(IcmpPacket.EchoReply, identifier, sequence, AgentEcho.Answer(carries())), to);
        }
    }

    static async Task SendAsync(IcmpSocket socket, byte[] answer, IPAddress to)
    {
        try
        {
            await socket.SendAsync(answer, to, CancellationToken.None);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException)
        {
            // Whoever asked asks again.
        }
    }
}
