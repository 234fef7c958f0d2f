namespace MeshFabric.Netlink.Generic;

/// <summary>Generic netlink (linux/genetlink.h): messages of a family found by name.</summary>
public sealed class GenericNetlink : IDisposable
{
    const int Protocol = 16;
    const ushort ControllerFamily = 16;
    const byte GetFamily = 3;

    readonly NetlinkSocket _socket;
    readonly MessageWriter _writer = new();

    GenericNetlink(NetlinkSocket socket) => _socket = socket;

    public static GenericNetlink Open(string? namespacePath = null) =>
        new(namespacePath is null ? NetlinkSocket.Open(Protocol) : NetlinkSocket.Open(Protocol, namespacePath));

    /// <summary>The number of a family; null when the kernel does not have it.</summary>
    public ushort? FindFamily(string name)
    {
        ushort? id = null;
        try
        {
            Exchange(ControllerFamily, GetFamily, 1, MessageFlags.Ack, $"looking up the family {name}", w => w.AttributeText(2, name), payload =>
            {
                var attributes = new AttributeReader(payload);
                while (attributes.MoveNext())
                {
                    id = attributes.Type == 1 ? attributes.U16() : id;
                }
            });
        }
        catch (NetlinkException e) when (e.IsNotFound)
        {
            return null;
        }

        return id;
    }

    /// <summary>One request; the handler gets each answer behind its generic header (struct genlmsghdr: u8 command, u8 version, u16 reserved).</summary>
    public bool Exchange(ushort family, byte command, byte version, MessageFlags flags, string operation, Action<MessageWriter> body, PayloadHandler? onAnswer = null)
    {
        _writer.Clear();
        var sequence = _socket.NextSequence();
        Begin(_writer, family, flags, sequence, command, version);
        body(_writer);
        _writer.End();
        return _socket.Exchange(_writer, sequence, operation, (_, payload) =>
        {
            if (payload.Length >= 4)
            {
                onAnswer?.Invoke(payload[4..]);
            }
        });
    }

    internal static void Begin(MessageWriter writer, ushort family, MessageFlags flags, uint sequence, byte command, byte version)
    {
        writer.Begin(family, flags | MessageFlags.Request, sequence);
        writer.U8(command);
        writer.U8(version);
        writer.U16(0);
    }

    public void Dispose() => _socket.Dispose();
}

public delegate void PayloadHandler(ReadOnlySpan<byte> payload);
