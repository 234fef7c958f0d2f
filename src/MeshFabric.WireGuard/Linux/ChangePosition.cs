namespace MeshFabric.WireGuard.Linux;

/// <summary>Where the next message of a change begins.</summary>
/// <param name="Peer">Index of the first peer that is not complete.</param>
/// <param name="AllowedIp">How many of its allowed-ips were written already.</param>
readonly record struct ChangePosition(int Peer, int AllowedIp)
{
    public static readonly ChangePosition Start;
}
