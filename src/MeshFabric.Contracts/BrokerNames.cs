namespace MeshFabric.Contracts;

/// <summary>Names on the broker. The control service makes all of them; an agent owns nothing (docs/protocol.md).</summary>
public static class BrokerNames
{
    /// <summary>Exchange and quorum queue of durable messages from agents.</summary>
    public const string Ingress = "mf.ingress";

    /// <summary>Exchange and bounded, transient queue of heartbeats.</summary>
    public const string Heartbeats = "mf.heartbeats";

    /// <summary>Fan-out exchange of facts, bound to every agent's queue.</summary>
    public const string Facts = "mf.facts";

    /// <summary>Exchange and queue towards one agent.</summary>
    public static string Down(string gatewayId) => $"mf.agent.{gatewayId}";

    /// <summary>Exchange that only this agent may write to; bound to <see cref="Ingress"/>. Its name is the sender's identity.</summary>
    public static string Up(string gatewayId) => $"mf.up.{gatewayId}";

    /// <summary>As <see cref="Up"/>, bound to <see cref="Heartbeats"/>.</summary>
    public static string Beat(string gatewayId) => $"mf.beat.{gatewayId}";

    /// <summary>Broker user; also the common name of the agent's certificate.</summary>
    public static string User(string gatewayId) => $"agent-{gatewayId}";

    /// <summary>The gateway id behind an up or beat exchange, or null.</summary>
    public static string? SenderOf(string exchange) =>
        exchange.StartsWith("mf.up.", StringComparison.Ordinal) ? exchange["mf.up.".Length..]
        : exchange.StartsWith("mf.beat.", StringComparison.Ordinal) ? exchange["mf.beat.".Length..]
        : null;
}
