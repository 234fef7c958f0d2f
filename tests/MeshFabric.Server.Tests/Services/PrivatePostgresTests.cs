using MeshFabric.TestKit.Services;
using Npgsql;

namespace MeshFabric.Server.Tests.Services;

/// <summary>The fixture that everything else here stands on.</summary>
public sealed class PrivatePostgresTests : IAsyncLifetime
{
    readonly string _directory = Path.Combine(Path.GetTempPath(), "mf-pg-" + Path.GetRandomFileName());
    PrivatePostgres _server = null!;

    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    public async ValueTask InitializeAsync() => _server = await PrivatePostgres.StartAsync(new PrivatePostgresOptions(_directory), Cancel);

    public async ValueTask DisposeAsync() => await _server.DeleteAsync(CancellationToken.None);

    [Fact]
    public async Task A_confirmed_commit_survives_a_crash()
    {
        var database = await _server.CreateDatabaseAsync("crash", null, Cancel);
        await ExecuteAsync(database, "CREATE TABLE t AS SELECT 7 AS x");
        var before = _server.Pid;

        await _server.Kill9Async(Cancel);
        Assert.Null(_server.Pid);
        await _server.StartAsync(Cancel);

        NpgsqlConnection.ClearAllPools();
        Assert.Equal(7, await ExecuteAsync(database, "SELECT x FROM t"));
        Assert.NotEqual(before, _server.Pid);
    }

    [Fact]
    public async Task Another_process_finds_the_server_by_its_directory()
    {
        var attached = PrivatePostgres.Attach(_directory);

        Assert.Equal(_server.Pid, attached.Pid);
        Assert.Equal(1, await ExecuteAsync(attached.LocalConnectionString("postgres"), "SELECT 1"));
    }

    static async Task<object?> ExecuteAsync(string database, string sql)
    {
        await using var connection = new NpgsqlConnection(database);
        await connection.OpenAsync(Cancel);
        await using var command = new NpgsqlCommand(sql, connection);
        return await command.ExecuteScalarAsync(Cancel);
    }
}
