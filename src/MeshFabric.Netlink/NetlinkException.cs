namespace MeshFabric.Netlink;

/// <summary>The kernel refused a netlink request, or the socket failed.</summary>
/// <param name="operation">What was tried, for people.</param>
/// <param name="errorNumber">errno.</param>
/// <param name="kernelText">The kernel's extended acknowledgement (NETLINK_EXT_ACK), or empty.</param>
public sealed class NetlinkException(string operation, int errorNumber, string kernelText = "")
    : Exception($"{operation}: {Libc.ErrorText(errorNumber)}{(kernelText.Length > 0 ? $" ({kernelText})" : "")}")
{
    public int ErrorNumber { get; } = errorNumber;

    /// <summary>The kernel's message is not what its headers say.</summary>
    public bool IsMalformed => ErrorNumber == BadMessage;

    public bool IsNotFound => ErrorNumber is NoEntry or NoDevice or NoProcess;

    public bool IsDenied => ErrorNumber is NotPermitted or AccessDenied;

    /// <param name="what">What is wrong with the message, for people.</param>
    public static NetlinkException Malformed(string what) => new("reading a message of the kernel", BadMessage, what);

    internal const int NotPermitted = 1;
    internal const int NoEntry = 2;
    internal const int NoProcess = 3;
    internal const int Interrupted = 4;
    internal const int AccessDenied = 13;
    internal const int Exists = 17;
    internal const int NoDevice = 19;
    internal const int BadMessage = 74;
    internal const int NotSupported = 95;
}
