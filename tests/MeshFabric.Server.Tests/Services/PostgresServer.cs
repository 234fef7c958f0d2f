using MeshFabric.Persistence;
using MeshFabric.Schema;
using MeshFabric.TestKit.Services;
using Microsoft.EntityFrameworkCore;
using Npgsql;

[assembly: AssemblyFixture(typeof(MeshFabric.Server.Tests.Services.PostgresServer))]

namespace MeshFabric.Server.Tests.Services;

/// <summary>One private PostgreSQL for the whole run; each test takes a database of its own, copied from one with the schema applied.</summary>
public sealed class PostgresServer : IAsyncLifetime
{
    const string Template = "meshfabric_template";

    readonly string _directory = Path.Combine(Path.GetTempPath(), "mf-pg-" + Path.GetRandomFileName());
    readonly SemaphoreSlim _templates = new(1, 1);
    int _databases;
    bool _templateMade;

    public PrivatePostgres Server { get; private set; } = null!;

    public async ValueTask InitializeAsync() =>
        Server = await PrivatePostgres.StartAsync(new PrivatePostgresOptions(_directory), TestContext.Current.CancellationToken);

    public async ValueTask DisposeAsync()
    {
        NpgsqlConnection.ClearAllPools();
        await Server.DeleteAsync(CancellationToken.None);
        _templates.Dispose();
    }

    /// <summary>A new database with the current schema; its connection string.</summary>
    public async Task<string> MeshDatabaseAsync(CancellationToken cancellationToken)
    {
        // A template may not be in use while it is copied, so copies are made one after the other.
        await _templates.WaitAsync(cancellationToken);
        try
        {
            if (!_templateMade)
            {
                var template = new NpgsqlConnectionStringBuilder(Server.ConnectionString(Template)) { Pooling = false }.ConnectionString;
                await SchemaChanges.ApplyAsync(template, null, cancellationToken);
                _templateMade = true;
            }

            return await Server.CreateDatabaseAsync(NextName(), Template, cancellationToken);
        }
        finally
        {
            _templates.Release();
        }
    }

    /// <summary>A name that no database has yet; nothing is created.</summary>
    public string NextName() => $"test_{Interlocked.Increment(ref _databases)}";

    public static MeshDbContext Open(string connectionString)
    {
        var options = new DbContextOptionsBuilder<MeshDbContext>();
        MeshDatabase.Configure(options, connectionString);
        return new MeshDbContext(options.Options);
    }

    public static async Task<object?> QueryAsync(string connectionString, string sql, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(connectionString);
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(cancellationToken);
    }
}
