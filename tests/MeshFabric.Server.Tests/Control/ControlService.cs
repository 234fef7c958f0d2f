using System.Collections.Concurrent;
using System.Net;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using MeshFabric.Contracts.Http;
using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Meshing;
using MeshFabric.Control.Messaging;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Setup;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;
using Microsoft.AspNetCore.Builder;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.DependencyInjection;
using Microsoft.Extensions.DependencyInjection.Extensions;
using Microsoft.Extensions.Hosting;

namespace MeshFabric.Server.Tests.Control;

/// <summary>The real host on a loopback port, with a real database and CA; only the broker is a stand-in that remembers.</summary>
public sealed class ControlService : IAsyncDisposable
{
    readonly WebApplication _app;
    readonly string _directory;

    ControlService(WebApplication app, string directory, string database, MemoryBroker broker)
    {
        _app = app;
        _directory = directory;
        Database = database;
        Broker = broker;
        Anonymous = Client(null);
        AdminToken = File.ReadAllText(Path.Combine(directory, "admin.token")).Trim();
        Admin = Client(AdminToken);
    }

    public string Database { get; }

    /// <summary>https://127.0.0.1:PORT.</summary>
    public string Url => _app.Urls.First();

    public string AdminToken { get; }

    /// <summary>PEM.</summary>
    public string Authority => File.ReadAllText(Path.Combine(_directory, "ca.crt"));

    public MemoryBroker Broker { get; }

    /// <summary>Where messages of agents end, without the broker and its guard.</summary>
    public IAgentInbox Inbox => _app.Services.GetRequiredService<IAgentInbox>();

    public Task<Domain.MeshFacts> FactsAsync(CancellationToken cancellationToken) => _app.Services.GetRequiredService<FactsStore>().LoadAsync(cancellationToken);

    public HttpClient Anonymous { get; }
    public HttpClient Admin { get; }

    public static async Task<ControlService> StartAsync(PostgresServer postgres, CancellationToken cancellationToken)
    {
        var directory = Path.Combine(Path.GetTempPath(), "mf-control-" + Path.GetRandomFileName());
        PkiDirectory.Create(directory, ["localhost"], [IPAddress.Loopback], TimeProvider.System);
        var database = await postgres.MeshDatabaseAsync(cancellationToken);
        var broker = new MemoryBroker();
        var app = ControlHost.Build(
            configuration => configuration.AddInMemoryCollection(new Dictionary<string, string?>
            {
                ["Database:ConnectionString"] = database,
                ["Broker:Host"] = "broker.invalid",
                ["Broker:ManagementUrl"] = "http://broker.invalid:15672",
                ["Pki:Directory"] = directory,
                ["Api:Listen"] = "https://127.0.0.1:0",
                ["Api:PublicUrl"] = "https://127.0.0.1:8443",
                ["Bootstrap:AdminTokenFile"] = Path.Combine(directory, "admin.token"),
            }),
            services =>
            {
                services.RemoveAll<IBrokerAdmin>();
                services.RemoveAll<IAgentPost>();
                foreach (var bus in services.Where(s => s.ServiceType == typeof(IHostedService) && (s.ImplementationType?.Namespace ?? "").StartsWith("MassTransit", StringComparison.Ordinal)).ToList())
                {
                    services.Remove(bus);
                }

                services.AddSingleton<IBrokerAdmin>(broker);
                services.AddSingleton<IAgentPost>(broker);
            });
        await app.StartAsync(cancellationToken);
        return new ControlService(app, directory, database, broker);
    }

    public HttpClient Client(string? token)
    {
        // The certificate is this test's own, made a moment ago; the pinned check has tests of its own.
        var client = new HttpClient(new HttpClientHandler { ServerCertificateCustomValidationCallback = (_, _, _, _) => true }) { BaseAddress = new Uri(_app.Urls.First()), Timeout = TimeSpan.FromSeconds(120) };
        client.DefaultRequestHeaders.Authorization = token is null ? null : new AuthenticationHeaderValue("Bearer", token);
        return client;
    }

    public async Task<string> JoinTokenAsync(string? cluster, int uses, CancellationToken cancellationToken)
    {
        var response = await Admin.PostAsJsonAsync("/api/v1/join-tokens", new CreateJoinToken(cluster, null, uses, null), MeshJson.Options, cancellationToken);
        return (await response.Content.ReadFromJsonAsync<JoinTokenResource>(MeshJson.Options, cancellationToken))!.Status.Token!;
    }

    public Task<HttpResponseMessage> EnrolAsync(string token, string cluster, string gateway, string? podCidr, CancellationToken cancellationToken, Net.PublicKey? key = null, bool hidden = false, string? node = null, bool? leaf = null)
    {
        using var signing = ECDsa.Create(ECCurve.NamedCurves.nistP256);
        var request = new CertificateRequest("CN=agent", signing, HashAlgorithmName.SHA256).CreateSigningRequestPem();
        var inventory = podCidr is null ? null : new InventoryDocument("site", null, null, null, null, [podCidr], null, null, null);
        var body = new CreateEnrolment(token, cluster, gateway, (key ?? Net.PrivateKey.Generate().ToPublicKey()).ToString(), 51820, hidden ? [] : ["192.0.2.1:51820"], request, "test", inventory) { Node = node, Leaf = leaf };
        return Anonymous.PostAsJsonAsync("/api/v1/enrolments", body, MeshJson.Options, cancellationToken);
    }

    /// <summary>All events so far. The API shows one once every older transaction of the server has ended, those of other tests' databases included: waits for that.</summary>
    public async Task<IReadOnlyList<EventResource>> EventsAsync(CancellationToken cancellationToken)
    {
        var written = await PostgresServer.QueryAsync(Database, "SELECT count(*) FROM events", cancellationToken);
        Page<EventResource> page = null!;
        await Until.TrueAsync(async () => (page = (await Admin.GetFromJsonAsync<Page<EventResource>>("/api/v1/events?limit=500", MeshJson.Options, cancellationToken))!).Total >= (long)written!,
            TimeSpan.FromSeconds(20), () => $"{written} events, {page.Total} are shown", cancellationToken);
        return page.Items;
    }

    public async ValueTask DisposeAsync()
    {
        Anonymous.Dispose();
        Admin.Dispose();
        await _app.StopAsync();
        await _app.DisposeAsync();
        // The pool would keep its connections for minutes, and the server of all tests has only so many.
        await using (var connection = new Npgsql.NpgsqlConnection(Database))
        {
            Npgsql.NpgsqlConnection.ClearPool(connection);
        }

        Directory.Delete(_directory, recursive: true);
    }
}

/// <summary>A broker that only remembers: who has an identity, and what was sent.</summary>
public sealed class MemoryBroker : IBrokerAdmin, IAgentPost
{
    public ConcurrentDictionary<string, bool> Identities { get; } = [];
    public ConcurrentQueue<FactsChanged> Published { get; } = [];

    /// <summary>To single gateways, by id.</summary>
    public ConcurrentQueue<(string GatewayId, object Message)> Sent { get; } = [];

    public Task EnsureTopologyAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task ProvisionAsync(string gatewayId, CancellationToken cancellationToken)
    {
        Identities[gatewayId] = true;
        return Task.CompletedTask;
    }

    public Task RevokeAsync(string gatewayId, CancellationToken cancellationToken)
    {
        Identities.TryRemove(gatewayId, out _);
        return Task.CompletedTask;
    }

    public Task<IReadOnlyDictionary<string, bool>> ListAsync(CancellationToken cancellationToken) => Task.FromResult<IReadOnlyDictionary<string, bool>>(Identities.Keys.ToDictionary(i => i, _ => true));

    public Task PublishFactsAsync(FactsChanged change, CancellationToken cancellationToken)
    {
        Published.Enqueue(change);
        return Task.CompletedTask;
    }

    public Task SendAsync<T>(string gatewayId, T message, CancellationToken cancellationToken) where T : class
    {
        Sent.Enqueue((gatewayId, message));
        return Task.CompletedTask;
    }
}
