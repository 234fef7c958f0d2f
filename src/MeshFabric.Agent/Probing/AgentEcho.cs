namespace MeshFabric.Agent.Probing;

/// <summary>What an answer to an echo request says.</summary>
public enum EchoVerdict
{
    /// <summary>Nothing; another may follow.</summary>
    Ignored,

    Yes,

    No,
}

/// <summary>The payloads of echo requests (RFC 792) that an agent answers as well, behind its kernel: whether its gateway carries traffic at all.</summary>
/// <remarks>A kernel answers for as long as the machine has power, also when whoever ends the tunnels has died or stands still. ICMP, for it needs no port that somebody must open.</remarks>
public static class AgentEcho
{
    static ReadOnlySpan<byte> Asked => "mf-ask-1"u8;

    static ReadOnlySpan<byte> Told => "mf-say-1"u8;

    /// <summary>Bytes of either payload: a text of 8, one that says yes (1) or no (0), and seven of nothing.</summary>
    public const int PayloadBytes = 16;

    public static byte[] Request() => Payload(Asked, 0);

    public static byte[] Answer(bool carries) => Payload(Told, carries ? (byte)1 : (byte)0);

    public static bool IsRequest(ReadOnlySpan<byte> payload) => payload.Length == PayloadBytes && payload.StartsWith(Asked);

    /// <summary>The kernel's own answer repeats the request, and is ignored.</summary>
    public static EchoVerdict Judge(ReadOnlySpan<byte> payload) =>
        payload.Length != PayloadBytes || !payload.StartsWith(Told) ? EchoVerdict.Ignored : payload[Told.Length] == 1 ? EchoVerdict.Yes : EchoVerdict.No;

    static byte[] Payload(ReadOnlySpan<byte> text, byte flag)
    {
        var payload = new byte[PayloadBytes];
        text.CopyTo(payload);
        payload[text.Length] = flag;
        return payload;
    }
}
