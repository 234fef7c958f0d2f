using System.Net;

namespace MeshFabric.TestKit.Services;

/// <summary>Where a private RabbitMQ lives and whom it trusts.</summary>
/// <param name="Directory">Absolute; its database, logs, cookie and passwords. Made by the start, deleted by a delete.</param>
/// <param name="AuthorityFile">PEM; clients' certificates must be signed by this CA, and the CN is then their user name.</param>
/// <param name="CertificateFile">PEM; the server's own, for 127.0.0.1.</param>
/// <param name="KeyFile">PEM; of <paramref name="CertificateFile"/>.</param>
public sealed record PrivateRabbitOptions(string Directory, string AuthorityFile, string CertificateFile, string KeyFile)
{
    /// <summary>Where it listens for AMQPS; all else is on the loopback.</summary>
    public IPAddress Address { get; init; } = IPAddress.Loopback;

    /// <summary>AMQPS port; 0 takes a free one of this process' own network namespace.</summary>
    public int Port { get; init; }

    /// <summary>Words put before the broker's command, such as <c>["ip", "netns", "exec", "lab-control"]</c>.</summary>
    public IReadOnlyList<string> CommandPrefix { get; init; } = [];

    /// <summary>How long a start may take on a busy machine; measured: 7 s idle, 38 s after a crash under load.</summary>
    public TimeSpan StartLimit { get; init; } = TimeSpan.FromSeconds(120);
}
