using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Text;
using System.Text.Json.Nodes;
using System.Text.RegularExpressions;
using MeshFabric.Contracts;
using MeshFabric.Control.Setup;
using Microsoft.Extensions.Options;

namespace MeshFabric.Control.Messaging;

/// <summary>RabbitMQ through its management API. One request makes all of a gateway's entities.</summary>
public sealed class RabbitBrokerAdmin : IBrokerAdmin
{
    const int QueueMessages = 1000;
    const int QueueBytes = 64 << 20;

    readonly HttpClient _http;
    readonly string _virtualHost;

    public RabbitBrokerAdmin(HttpClient http, IOptions<BrokerOptions> options)
    {
        _http = http;
        _virtualHost = options.Value.VirtualHost;
        _http.BaseAddress = new Uri(options.Value.ManagementUrl.TrimEnd('/') + "/");
        _http.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic",
            Convert.ToBase64String(Encoding.UTF8.GetBytes($"{options.Value.Username}:{options.Value.Secret()}")));
    }

    string Host => Uri.EscapeDataString(_virtualHost);

    public Task EnsureTopologyAsync(CancellationToken cancellationToken) => ImportAsync(new JsonObject
    {
        ["exchanges"] = new JsonArray(Exchange(BrokerNames.Ingress), Exchange(BrokerNames.Heartbeats), Exchange(BrokerNames.Facts)),
        ["queues"] = new JsonArray(
            Queue(BrokerNames.Ingress, new JsonObject { ["x-queue-type"] = "quorum", ["x-delivery-limit"] = 10 }),
            Queue(BrokerNames.Heartbeats, new JsonObject { ["x-max-length"] = 20_000, ["x-overflow"] = "drop-head", ["x-message-ttl"] = 60_000 })),
        ["bindings"] = new JsonArray(
            Binding(BrokerNames.Ingress, BrokerNames.Ingress, "queue"),
            Binding(BrokerNames.Heartbeats, BrokerNames.Heartbeats, "queue")),
    }, cancellationToken);

    public async Task ProvisionAsync(string gatewayId, CancellationToken cancellationToken)
    {
        var user = BrokerNames.User(gatewayId);
        var id = Regex.Escape(gatewayId);
        await ImportAsync(new JsonObject
        {
            // No password: the only way in is the certificate of this name.
            ["users"] = new JsonArray(new JsonObject { ["name"] = user, ["password_hash"] = "", ["hashing_algorithm"] = "rabbit_password_hashing_sha256", ["tags"] = "" }),
            ["permissions"] = new JsonArray(new JsonObject
            {
                ["user"] = user,
                ["vhost"] = _virtualHost,
                // The bus declares, actively, every exchange that it sends to, and the broker asks for "configure" even when it exists.
                ["configure"] = $"^mf\\.(agent|up|beat)\\.{id}$",
                ["write"] = $"^mf\\.(up|beat)\\.{id}$",
                ["read"] = $"^mf\\.agent\\.{id}$",
            }),
            ["exchanges"] = new JsonArray(Exchange(BrokerNames.Down(gatewayId)), Exchange(BrokerNames.Up(gatewayId)), Exchange(BrokerNames.Beat(gatewayId))),
            // Never blocks whoever publishes: what an absent agent misses it asks for as a snapshot.
            ["queues"] = new JsonArray(Queue(BrokerNames.Down(gatewayId), new JsonObject { ["x-max-length"] = QueueMessages, ["x-max-length-bytes"] = QueueBytes, ["x-overflow"] = "drop-head" })),
            ["bindings"] = new JsonArray(
                Binding(BrokerNames.Down(gatewayId), BrokerNames.Down(gatewayId), "queue"),
                Binding(BrokerNames.Facts, BrokerNames.Down(gatewayId), "queue"),
                Binding(BrokerNames.Up(gatewayId), BrokerNames.Ingress, "exchange"),
                Binding(BrokerNames.Beat(gatewayId), BrokerNames.Heartbeats, "exchange")),
        }, cancellationToken);
        await PutAsync($"api/user-limits/{Uri.EscapeDataString(user)}/max-connections", new JsonObject { ["value"] = 4 }, cancellationToken);
        await PutAsync($"api/user-limits/{Uri.EscapeDataString(user)}/max-channels", new JsonObject { ["value"] = 16 }, cancellationToken);
    }

    public async Task RevokeAsync(string gatewayId, CancellationToken cancellationToken)
    {
        // The user first: its connection is closed at once. Permissions alone would leave an open consumer running.
        await DeleteAsync($"api/users/{Uri.EscapeDataString(BrokerNames.User(gatewayId))}", cancellationToken);
        await DeleteAsync($"api/queues/{Host}/{BrokerNames.Down(gatewayId)}", cancellationToken);
        foreach (var exchange in new[] { BrokerNames.Down(gatewayId), BrokerNames.Up(gatewayId), BrokerNames.Beat(gatewayId) })
        {
            await DeleteAsync($"api/exchanges/{Host}/{exchange}", cancellationToken);
        }
    }

    public async Task<IReadOnlyDictionary<string, bool>> ListAsync(CancellationToken cancellationToken)
    {
        // Only those of our own virtual host: another mesh on the same broker is none of our business.
        var users = await NamesAsync($"api/vhosts/{Host}/permissions", "user", cancellationToken);
        var queues = await NamesAsync($"api/queues/{Host}?columns=name", "name", cancellationToken);
        var exchanges = await NamesAsync($"api/exchanges/{Host}?columns=name", "name", cancellationToken);
        var prefix = BrokerNames.User("");
        return users.Where(n => n.StartsWith(prefix, StringComparison.Ordinal)).Select(n => n[prefix.Length..]).ToDictionary(
            id => id,
            id => queues.Contains(BrokerNames.Down(id)) && new[] { BrokerNames.Down(id), BrokerNames.Up(id), BrokerNames.Beat(id) }.All(exchanges.Contains));
    }

    async Task<HashSet<string>> NamesAsync(string path, string member, CancellationToken cancellationToken) =>
        (await _http.GetFromJsonAsync<JsonArray>(path, cancellationToken) ?? []).Select(o => (string?)o?[member] ?? "").ToHashSet(StringComparer.Ordinal);

    JsonObject Exchange(string name) => new() { ["name"] = name, ["vhost"] = _virtualHost, ["type"] = "fanout", ["durable"] = true, ["auto_delete"] = false, ["internal"] = false, ["arguments"] = new JsonObject() };

    JsonObject Queue(string name, JsonObject arguments) => new() { ["name"] = name, ["vhost"] = _virtualHost, ["durable"] = true, ["auto_delete"] = false, ["arguments"] = arguments };

    JsonObject Binding(string source, string destination, string kind) =>
        new() { ["source"] = source, ["vhost"] = _virtualHost, ["destination"] = destination, ["destination_type"] = kind, ["routing_key"] = "", ["arguments"] = new JsonObject() };

    async Task ImportAsync(JsonObject definitions, CancellationToken cancellationToken)
    {
        using var response = await _http.PostAsJsonAsync("api/definitions", definitions, cancellationToken);
        await CheckAsync(response, "making broker entities", cancellationToken);
    }

    async Task PutAsync(string path, JsonObject body, CancellationToken cancellationToken)
    {
        using var response = await _http.PutAsJsonAsync(path, body, cancellationToken);
        await CheckAsync(response, path, cancellationToken);
    }

    async Task DeleteAsync(string path, CancellationToken cancellationToken)
    {
        using var response = await _http.DeleteAsync(path, cancellationToken);
        if (response.StatusCode != HttpStatusCode.NotFound)
        {
            await CheckAsync(response, path, cancellationToken);
        }
    }

    static async Task CheckAsync(HttpResponseMessage response, string what, CancellationToken cancellationToken)
    {
        if (!response.IsSuccessStatusCode)
        {
            var text = await response.Content.ReadAsStringAsync(cancellationToken);
            throw new HttpRequestException($"the broker's management API refused {what}: {(int)response.StatusCode} {text[..Math.Min(text.Length, 300)]}", null, response.StatusCode);
        }
    }
}
