using System.Net;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Setup;
using MeshFabric.Persistence;
using MeshFabric.Server.Tests.Services;
using Microsoft.Extensions.Configuration;
using Microsoft.Extensions.Options;

namespace MeshFabric.Server.Tests.Control;

/// <summary>What the service does not start with, and what it says: the sentence is all that an operator sees.</summary>
public sealed class StartRefusalTests(PostgresServer postgres) : IDisposable
{
    readonly string _pki = Directory.CreateTempSubdirectory("mf-start-").FullName;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public void Dispose() => Directory.Delete(_pki, recursive: true);

    [Fact]
    public async Task An_empty_database()
    {
        var database = await postgres.Server.CreateDatabaseAsync(postgres.NextName(), null, Cancel);

        await RefusedAsync(database, "has no schema yet", "meshfabric-schema apply");
        Assert.Equal(0L, await PostgresServer.QueryAsync(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", Cancel));
    }

    [Fact]
    public async Task An_old_schema()
    {
        var database = await postgres.MeshDatabaseAsync(Cancel);
        await PostgresServer.QueryAsync(database, "DELETE FROM schema_changes; INSERT INTO schema_changes VALUES ('20200101000000_Old', '10.0.0')", Cancel);

        await RefusedAsync(database, "too old", MeshDatabase.SchemaVersion, "meshfabric-schema apply");
    }

    [Fact]
    public async Task A_newer_schema()
    {
        var database = await postgres.MeshDatabaseAsync(Cancel);
        await PostgresServer.QueryAsync(database, "INSERT INTO schema_changes VALUES ('29990101000000_Future', '10.0.0')", Cancel);

        await RefusedAsync(database, "too new", "29990101000000_Future");
    }

    [Fact]
    public async Task A_database_that_does_not_exist() =>
        await RefusedAsync(postgres.Server.ConnectionString("nothing_here"), "does not exist", "meshfabric-schema apply");

    [Fact]
    public async Task A_missing_certificate()
    {
        var refused = await Record.ExceptionAsync(() => StartAsync(postgres.Server.ConnectionString("postgres"), pki: false));

        Assert.Contains("meshfabric-control pki create", refused!.Message);
    }

    [Fact]
    public void A_setting_that_is_missing_is_named_with_its_variable()
    {
        var refused = Assert.Throws<OptionsValidationException>(() => ControlHost.Build(configuration => configuration.AddInMemoryCollection([])));

        Assert.Contains("set MESHFABRIC_Api__PublicUrl", string.Join('\n', refused.Failures));
    }

    async Task RefusedAsync(string database, params string[] words)
    {
        var refused = await Assert.ThrowsAsync<StartupException>(() => StartAsync(database, pki: true));

        Assert.All(words, word => Assert.Contains(word, refused.Message));
    }

    async Task StartAsync(string database, bool pki)
    {
        if (pki)
        {
            PkiDirectory.Create(_pki, ["localhost"], [IPAddress.Loopback], TimeProvider.System);
        }

        await using var app = ControlHost.Build(configuration => configuration.AddInMemoryCollection(new Dictionary<string, string?>
        {
            ["Database:ConnectionString"] = database,
            ["Broker:Host"] = "broker.invalid",
            ["Broker:ManagementUrl"] = "http://broker.invalid:15672",
            ["Pki:Directory"] = _pki,
            ["Api:Listen"] = "https://127.0.0.1:0",
            ["Api:PublicUrl"] = "https://127.0.0.1:8443",
        }));
        await app.StartAsync(Cancel);
    }
}
