using System.Net;

namespace MeshFabric.TestKit.Services;

/// <summary>Where a private PostgreSQL lives and listens.</summary>
/// <param name="Directory">Absolute; its data, socket, log and password. Made when missing, kept by a stop, deleted by a delete.</param>
public sealed record PrivatePostgresOptions(string Directory)
{
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>TCP port; 0 takes a free one of this process' own network namespace.</summary>
    public int Port { get; init; }

    /// <summary>Words put before the server's command, such as <c>["ip", "netns", "exec", "lab-control"]</c>.</summary>
    public IReadOnlyList<string> CommandPrefix { get; init; } = [];

    /// <summary>How long a start may take on a busy machine.</summary>
    public TimeSpan StartLimit { get; init; } = TimeSpan.FromSeconds(60);
}
