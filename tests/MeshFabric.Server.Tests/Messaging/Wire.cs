using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;
using MeshFabric.Contracts.Http;
using RabbitMQ.Client;
using RabbitMQ.Client.Exceptions;

namespace MeshFabric.Server.Tests.Messaging;

/// <summary>The bytes on the broker, written and read without the bus.</summary>
public static class Wire
{
    public const string EnvelopeType = "application/vnd.masstransit+json";

    /// <summary>An envelope as the bus writes it; <paramref name="more"/> adds members such as <c>responseAddress</c>.</summary>
    public static byte[] Envelope<T>(T message, params (string Name, JsonNode? Value)[] more)
    {
        var envelope = new JsonObject
        {
            ["messageId"] = Guid.NewGuid().ToString(),
            ["messageType"] = new JsonArray($"urn:message:{typeof(T).Namespace}:{typeof(T).Name}"),
            ["message"] = JsonSerializer.SerializeToNode(message, MeshJson.Options),
        };
        foreach (var (name, value) in more)
        {
            envelope[name] = value;
        }

        return Encoding.UTF8.GetBytes(envelope.ToJsonString());
    }

    /// <summary>The message inside an envelope, or null when it is of another type.</summary>
    public static T? Read<T>(ReadOnlySpan<byte> body) where T : class
    {
        var envelope = JsonNode.Parse(body)!;
        return envelope["messageType"]!.AsArray().Any(t => (string?)t == $"urn:message:{typeof(T).Namespace}:{typeof(T).Name}")
            ? envelope["message"].Deserialize<T>(MeshJson.Lenient)
            : null;
    }

    /// <summary>Returns when the broker has taken responsibility; throws when it refuses.</summary>
    public static async Task PublishAsync(this IChannel channel, string exchange, byte[] body, CancellationToken cancellationToken, BasicProperties? properties = null, string routingKey = "") =>
        await channel.BasicPublishAsync(exchange, routingKey, mandatory: false, properties ?? new BasicProperties { ContentType = EnvelopeType }, body, cancellationToken);

    public static Task<IChannel> ConfirmedAsync(this IConnection connection, CancellationToken cancellationToken) =>
        connection.CreateChannelAsync(new CreateChannelOptions(publisherConfirmationsEnabled: true, publisherConfirmationTrackingEnabled: true), cancellationToken);

    /// <summary>AMQP's code for why the broker ended a channel or connection: 403 refused, 405 locked, 406 precondition, 530 not allowed.</summary>
    public static int? ReplyCode(Exception? exception) => exception switch
    {
        null => null,
        OperationInterruptedException { ShutdownReason: { } reason } => reason.ReplyCode,
        _ => ReplyCode(exception.InnerException),
    };
}
