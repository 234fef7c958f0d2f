using System.Buffers.Binary;
using System.Net;
using System.Net.Sockets;
using System.Runtime.InteropServices;
using MeshFabric.Agent.Paths;
using MeshFabric.Agent.Ports;
using MeshFabric.Agent.Probing;

namespace MeshFabric.Agent.Linux;

/// <summary>A raw UDP socket (raw(7)) of IPv4: it sends from ports that another socket is bound to, and sees copies of what comes to them. A filter in the kernel lets it see path checks only.</summary>
public sealed class LinuxPathSocket : IPathSocket
{
    const int UdpHeader = 8;
    const int SolSocket = 1;
    const int SoAttachFilter = 26;

    readonly Socket _socket = new(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Udp);
    readonly Func<IPAddress, IPAddress?> _sourceTowards;
    readonly TimeProvider _time;

    /// <param name="sourceTowards">Which address of the host the kernel sends from to another one.</param>
    /// <exception cref="SocketException">Not permitted (CAP_NET_RAW).</exception>
    public LinuxPathSocket(Func<IPAddress, IPAddress?> sourceTowards, TimeProvider time)
    {
        (_sourceTowards, _time) = (sourceTowards, time);
        try
        {
            Filter(_socket);
            _socket.Bind(new IPEndPoint(IPAddress.Any, 0));
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public async ValueTask SendAsync(int fromPort, IPEndPoint to, byte[] payload, CancellationToken cancellationToken)
    {
        if (to.AddressFamily != AddressFamily.InterNetwork || _sourceTowards(to.Address) is not { } source)
        {
            return;
        }

        try
        {
            await _socket.SendToAsync(Datagram(source, fromPort, to, payload), SocketFlags.None, new IPEndPoint(to.Address, 0), cancellationToken);
        }
        catch (Exception e) when (e is SocketException or ObjectDisposedException or OperationCanceledException)
        {
            // As lost as on its way.
        }
    }

    public Task ReceiveAsync(PathPacket take) => _socket.ReceiveAllAsync(_time, (buffer, length, from) => Hand(buffer.AsSpan(0, length), from, take));

    public void Dispose() => _socket.Dispose();

    static void Hand(ReadOnlySpan<byte> packet, IPAddress from, PathPacket take)
    {
        // The header of IPv4 comes with it.
        var ip = packet.Length > 0 ? (packet[0] & 15) * 4 : 0;
        if (packet.Length > ip + UdpHeader)
        {
            var udp = packet[ip..];
            take(BinaryPrimitives.ReadUInt16BigEndian(udp[2..]), new IPEndPoint(from, BinaryPrimitives.ReadUInt16BigEndian(udp)), udp[UdpHeader..]);
        }
    }

    static byte[] Datagram(IPAddress source, int fromPort, IPEndPoint to, byte[] payload)
    {
        var datagram = new byte[UdpHeader + payload.Length];
        BinaryPrimitives.WriteUInt16BigEndian(datagram, (ushort)fromPort);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(2), (ushort)to.Port);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), (ushort)datagram.Length);
        payload.CopyTo(datagram, UdpHeader);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(6), Checksum(source, to.Address, datagram));
        return datagram;
    }

    // RFC 768, over the pseudo header as well. To leave it out is allowed, but a relay's rewriting would make a wrong one of it, and NATs throw that away.
    static ushort Checksum(IPAddress source, IPAddress destination, byte[] datagram)
    {
        uint sum = 17 + (uint)datagram.Length;
        Add(source.GetAddressBytes());
        Add(destination.GetAddressBytes());
        Add(datagram);
        while (sum > 0xffff)
        {
            sum = (sum & 0xffff) + (sum >> 16);
        }

        return sum == 0xffff ? (ushort)0xffff : (ushort)~sum;

        void Add(byte[] bytes)
        {
            for (var i = 0; i < bytes.Length; i++)
            {
                sum += (uint)bytes[i] << (i % 2 == 0 ? 8 : 0);
            }
        }
    }

    // Classic BPF (linux/filter.h): behind the headers of IPv4 and UDP there is the text that a check begins with.
    static unsafe void Filter(Socket socket)
    {
        var magic = PathCheck.Magic;
        Instruction[] program =
        [
            new(0xb1, 0, 0, 0),                                                        // ldx 4 * ([0] & 15)
            new(0x40, 0, 0, UdpHeader),                                                // ld [x + 8]
            new(0x15, 0, 3, BinaryPrimitives.ReadUInt32BigEndian(magic)),              // jne reject
            new(0x40, 0, 0, UdpHeader + 4),                                            // ld [x + 12]
            new(0x15, 0, 1, BinaryPrimitives.ReadUInt32BigEndian(magic[4..])),         // jne reject
            new(0x06, 0, 0, 0xffff),                                                   // ret 65535
            new(0x06, 0, 0, 0),                                                        // reject: ret 0
        ];
        fixed (Instruction* instructions = program)
        {
            var filter = new Program((ushort)program.Length, instructions);
            socket.SetRawSocketOption(SolSocket, SoAttachFilter, new ReadOnlySpan<byte>(&filter, sizeof(Program)));
        }
    }

    // struct sock_filter
    [StructLayout(LayoutKind.Sequential)]
    readonly record struct Instruction(ushort Code, byte IfTrue, byte IfFalse, uint Constant);

    // struct sock_fprog
    [StructLayout(LayoutKind.Sequential)]
    readonly unsafe struct Program(ushort length, Instruction* instructions)
    {
        public readonly ushort Length = length;
        public readonly Instruction* Instructions = instructions;
    }
}
