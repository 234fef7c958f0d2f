using MeshFabric.Schema;
using MeshFabric.Server.Tests.Services;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MeshFabric.Server.Tests.Schema;

public sealed class SchemaChangesTests(PostgresServer postgres)
{
    static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Four_processes_that_apply_the_schema_at_once_all_succeed_and_one_does_the_work()
    {
        for (var round = 0; round < 3; round++)
        {
            var database = postgres.Server.ConnectionString(postgres.NextName());

            var applied = await Task.WhenAll(Enumerable.Range(0, 4).Select(_ => SchemaChanges.ApplyAsync(Unpooled(database), null, Cancel)));

            var (done, pending) = await SchemaChanges.StatusAsync(Unpooled(database), Cancel);
            Assert.Empty(pending);
            Assert.Equal(done, applied.SelectMany(a => a).Order());
        }
    }

    [Fact]
    public async Task Status_of_an_empty_database_names_what_is_pending_and_changes_nothing()
    {
        var database = await postgres.Server.CreateDatabaseAsync(postgres.NextName(), null, Cancel);

        var (done, pending) = await SchemaChanges.StatusAsync(database, Cancel);

        Assert.Empty(done);
        Assert.NotEmpty(pending);
        Assert.Equal(0L, await PostgresServer.QueryAsync(database, "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'", Cancel));
    }

    [Fact]
    public async Task The_script_makes_the_same_schema_and_may_be_run_twice()
    {
        var database = await postgres.Server.CreateDatabaseAsync(postgres.NextName(), null, Cancel);
        var script = SchemaChanges.Script("Host=localhost");

        for (var run = 0; run < 2; run++)
        {
            await PostgresServer.QueryAsync(database, script, Cancel);
        }

        Assert.Empty((await SchemaChanges.StatusAsync(database, Cancel)).Pending);
    }

    [Fact]
    public void The_schema_changes_make_exactly_what_the_model_says()
    {
        using var context = new DesignTimeFactory().CreateDbContext([]);

        Assert.False(context.Database.HasPendingModelChanges(), "the model changed: dotnet ef migrations add NAME in migrations/MeshFabric.Schema");
    }

    [Fact]
    public async Task Every_table_and_column_is_named_in_snake_case()
    {
        var database = await postgres.MeshDatabaseAsync(Cancel);

        var odd = await PostgresServer.QueryAsync(
            database,
            "SELECT string_agg(table_name || '.' || column_name, ', ') FROM information_schema.columns WHERE table_schema = 'public' AND table_name <> 'schema_changes' AND (table_name || column_name) ~ '[^a-z0-9_]'",
            Cancel);

        Assert.Equal(DBNull.Value, odd);
    }

    static string Unpooled(string connectionString) => new NpgsqlConnectionStringBuilder(connectionString) { Pooling = false }.ConnectionString;
}
