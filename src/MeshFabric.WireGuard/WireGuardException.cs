namespace MeshFabric.WireGuard;

/// <summary>A WireGuard device could not be made, configured, read or deleted.</summary>
public sealed class WireGuardException(WireGuardError reason, string message, Exception? inner = null) : Exception(message, inner)
{
    public WireGuardError Reason { get; } = reason;
}

public enum WireGuardError
{
    /// <summary>No such device.</summary>
    NotFound,

    /// <summary>Neither the kernel nor a userspace implementation is available; the message says what to install.</summary>
    Unavailable,

    /// <summary>Not enough privilege (CAP_NET_ADMIN).</summary>
    Denied,

    /// <summary>The implementation refused the configuration.</summary>
    Refused,

    /// <summary>The implementation answered something that its protocol does not allow, or not in time.</summary>
    Protocol,
}
