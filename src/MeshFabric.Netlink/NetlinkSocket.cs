using System.Buffers.Binary;
using System.Runtime.InteropServices;

namespace MeshFabric.Netlink;

/// <summary>A netlink socket: requests with their answers, or notifications.</summary>
/// <remarks>
/// Not thread-safe: one user at a time. Stays in the network namespace it was opened in, whichever thread uses it later;
/// <see cref="Open(int, string)"/> opens one in another namespace without moving any thread of the pool.
/// </remarks>
public sealed unsafe class NetlinkSocket : IDisposable
{
    const int ExtAck = 11;
    const int CapAck = 10;
    const int StrictCheck = 12;
    const int AddMembership = 1;
    const int SendBufferForce = 32;
    const int ReceiveBufferForce = 33;
    const int ReceiveTimeout = 20;
    const short PollIn = 1;
    const int AckType = 2;
    const int DoneType = 3;

    // NLM_F_ACK_TLVS: attributes follow, with the kernel's words.
    const int AckAttributes = 0x200;

    readonly byte[] _receive = new byte[1 << 17];
    int _fd;
    uint _sequence;

    NetlinkSocket(int fd) => _fd = fd;

    /// <summary>In the network namespace of the calling thread.</summary>
    /// <param name="protocol">NETLINK_* of linux/netlink.h: 0 route, 12 netfilter, 16 generic.</param>
    public static NetlinkSocket Open(int protocol)
    {
        var fd = Libc.Socket(Libc.AfNetlink, Libc.SockRaw | Libc.SockCloexec, protocol);
        if (fd < 0)
        {
            throw new NetlinkException("opening a netlink socket", Marshal.GetLastPInvokeError());
        }

        var one = 1;
        var size = 1 << 22;
        _ = Libc.SetSocketOption(fd, Libc.SolNetlink, ExtAck, &one, sizeof(int));
        _ = Libc.SetSocketOption(fd, Libc.SolNetlink, CapAck, &one, sizeof(int));
        // Dumps are filtered by the kernel (5.0 and newer) instead of here.
        _ = Libc.SetSocketOption(fd, Libc.SolNetlink, StrictCheck, &one, sizeof(int));
        _ = Libc.SetSocketOption(fd, Libc.SolSocket, SendBufferForce, &size, sizeof(int));
        _ = Libc.SetSocketOption(fd, Libc.SolSocket, ReceiveBufferForce, &size, sizeof(int));
        // struct timeval: no request of ours takes the kernel this long; better an error than a wait for ever.
        var limit = stackalloc long[2] { 10, 0 };
        _ = Libc.SetSocketOption(fd, Libc.SolSocket, ReceiveTimeout, (int*)limit, 2 * sizeof(long));
        return new NetlinkSocket(fd);
    }

    /// <summary>In the namespace at <paramref name="namespacePath"/>, such as /run/netns/NAME.</summary>
    public static NetlinkSocket Open(int protocol, string namespacePath) => NamespaceThread.Run(namespacePath, () => Open(protocol));

    public uint NextSequence() => ++_sequence;

    /// <summary>Receives notifications of a multicast group from now on.</summary>
    public void Join(int group)
    {
        // An address is needed before membership: sockaddr_nl with port 0 lets the kernel choose.
        var address = stackalloc byte[12];
        BinaryPrimitives.WriteUInt16LittleEndian(new Span<byte>(address, 12), Libc.AfNetlink);
        _ = Libc.Bind(_fd, address, 12);
        if (Libc.SetSocketOption(_fd, Libc.SolNetlink, AddMembership, &group, sizeof(int)) != 0)
        {
            throw new NetlinkException($"joining netlink group {group}", Marshal.GetLastPInvokeError());
        }
    }

    public void Send(MessageWriter messages)
    {
        fixed (byte* bytes = messages.Written)
        {
            if (Libc.Send(_fd, bytes, messages.Length, 0) != messages.Length)
            {
                throw new NetlinkException("sending to the kernel", Marshal.GetLastPInvokeError());
            }
        }
    }

    /// <summary>Sends what was written and reads until the acknowledgement or end of dump of <paramref name="last"/>.</summary>
    /// <exception cref="NetlinkException">The kernel refused one of the messages (the first refusal is told; the rest was still processed).</exception>
    /// <param name="ignore">Error numbers that are none.</param>
    /// <param name="throwAtOnce">Does not wait for the rest of a batch that is refused as a whole; the socket is of no more use then.</param>
    /// <returns>False when a dump was interrupted by changes and must be repeated.</returns>
    public bool Exchange(MessageWriter messages, uint last, string operation, MessageHandler? onMessage = null, Func<int, bool>? ignore = null, bool throwAtOnce = false)
    {
        Send(messages);
        NetlinkException? refused = null;
        var consistent = true;
        while (true)
        {
            var count = Receive();
            for (var offset = 0; offset + 16 <= count;)
            {
                var message = _receive.AsSpan(offset, count - offset);
                var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(message);
                if (length < 16 || length > message.Length)
                {
                    break;
                }

                offset += (length + 3) & ~3;
                var type = BinaryPrimitives.ReadUInt16LittleEndian(message[4..]);
                var flags = (MessageFlags)BinaryPrimitives.ReadUInt16LittleEndian(message[6..]);
                var sequence = BinaryPrimitives.ReadUInt32LittleEndian(message[8..]);
                if (unchecked(last - sequence) >= (uint)messages.Count && sequence != unchecked(last + 1))
                {
                    // Left over from an exchange that was given up.
                    continue;
                }

                consistent &= !flags.HasFlag(MessageFlags.DumpInterrupted);
                if (type is AckType or DoneType)
                {
                    var error = length >= 20 ? -BinaryPrimitives.ReadInt32LittleEndian(message[16..]) : 0;
                    if (error > 0 && ignore?.Invoke(error) != true)
                    {
                        refused ??= new NetlinkException(operation, error, ((int)flags & AckAttributes) != 0 ? KernelText(message[..length], type) : "");
                    }

                    if (sequence == last || (throwAtOnce && refused is not null))
                    {
                        return refused is null ? consistent : throw refused;
                    }
                }
                else if (sequence == last)
                {
                    onMessage?.Invoke(type, message[16..length]);
                }
            }
        }
    }

    /// <summary>Waits for a notification; false when none came in time.</summary>
    public bool WaitForNotification(TimeSpan limit)
    {
        var poll = new Libc.PollFd { Fd = _fd, Events = PollIn };
        return Libc.Poll(&poll, 1, (int)Math.Min(limit.TotalMilliseconds, int.MaxValue)) > 0;
    }

    /// <summary>Reads all notifications that are waiting; the handler gets type and payload.</summary>
    public void Drain(MessageHandler? onMessage = null)
    {
        while (WaitForNotification(TimeSpan.Zero))
        {
            int count;
            try
            {
                count = Receive();
            }
            catch (NetlinkException e) when (e.ErrorNumber == 105)
            {
                // ENOBUFS: some were lost. The caller re-reads everything anyway.
                continue;
            }

            for (var offset = 0; onMessage is not null && offset + 16 <= count;)
            {
                var length = (int)BinaryPrimitives.ReadUInt32LittleEndian(_receive.AsSpan(offset));
                if (length < 16 || offset + length > count)
                {
                    break;
                }

                onMessage(BinaryPrimitives.ReadUInt16LittleEndian(_receive.AsSpan(offset + 4)), _receive.AsSpan(offset + 16, length - 16));
                offset += (length + 3) & ~3;
            }
        }
    }

    public void Dispose()
    {
        var fd = Interlocked.Exchange(ref _fd, -1);
        if (fd >= 0)
        {
            _ = Libc.Close(fd);
        }
    }

    int Receive()
    {
        while (true)
        {
            fixed (byte* bytes = _receive)
            {
                var count = (int)Libc.Receive(_fd, bytes, _receive.Length, 0);
                if (count > 0)
                {
                    return count;
                }
            }

            var error = Marshal.GetLastPInvokeError();
            if (error != NetlinkException.Interrupted)
            {
                throw new NetlinkException("receiving from the kernel", error);
            }
        }
    }

    // struct nlmsgerr: s32 error, then the request's header (CAP_ACK leaves its payload out), then NLMSGERR_ATTR_MSG = 1.
    static string KernelText(ReadOnlySpan<byte> message, int type)
    {
        var at = type == AckType ? 16 + 4 + 16 : 16 + 4;
        var attributes = new AttributeReader(message[Math.Min(at, message.Length)..]);
        while (attributes.MoveNext())
        {
            if (attributes.Type == 1)
            {
                return attributes.Text();
            }
        }

        return "";
    }
}

/// <summary>Gets a message's type and its payload behind the netlink header.</summary>
public delegate void MessageHandler(int type, ReadOnlySpan<byte> payload);
