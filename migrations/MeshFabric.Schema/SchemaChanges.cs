using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MeshFabric.Schema;

/// <summary>Applies schema changes; never done by the service itself.</summary>
public static class SchemaChanges
{
    // EF's own lock is freed between two pending changes: several processes at once would collide (42P07). One lock around all of them.
    const long LockKey = 0x4d46_5343_4845_4d41;

    /// <summary>Applies what is pending, in order; returns the names. Safe to run by several processes at once.</summary>
    public static async Task<IReadOnlyList<string>> ApplyAsync(string connectionString, Action<string>? onChange, CancellationToken cancellationToken)
    {
        await using var context = Open(connectionString);
        await EnsureDatabaseAsync(connectionString, cancellationToken);
        await using var guard = new NpgsqlConnection(connectionString);
        await guard.OpenAsync(cancellationToken);
        await using (var command = new NpgsqlCommand($"SELECT pg_advisory_lock({LockKey})", guard) { CommandTimeout = 600 })
        {
            await command.ExecuteNonQueryAsync(cancellationToken);
        }

        var pending = (await context.Database.GetPendingMigrationsAsync(cancellationToken)).ToList();
        pending.ForEach(p => onChange?.Invoke(p));
        await context.Database.MigrateAsync(cancellationToken);
        return pending;
    }

    public static async Task<(IReadOnlyList<string> Applied, IReadOnlyList<string> Pending)> StatusAsync(string connectionString, CancellationToken cancellationToken)
    {
        await using var context = Open(connectionString);
        return ((await context.Database.GetAppliedMigrationsAsync(cancellationToken)).ToList(), (await context.Database.GetPendingMigrationsAsync(cancellationToken)).ToList());
    }

    /// <summary>Idempotent SQL of all changes, for those who apply it by their own means.</summary>
    public static string Script(string connectionString)
    {
        using var context = Open(connectionString);
        var migrator = Microsoft.EntityFrameworkCore.Infrastructure.AccessorExtensions.GetService<Microsoft.EntityFrameworkCore.Migrations.IMigrator>(context.Database);
        return migrator.GenerateScript(options: Microsoft.EntityFrameworkCore.Migrations.MigrationsSqlGenerationOptions.Idempotent);
    }

    static MeshDbContext Open(string connectionString)
    {
        var options = new DbContextOptionsBuilder<MeshDbContext>();
        MeshDatabase.Configure(options, connectionString);
        return new MeshDbContext(options.Options);
    }

    static async Task EnsureDatabaseAsync(string connectionString, CancellationToken cancellationToken)
    {
        var wanted = new NpgsqlConnectionStringBuilder(connectionString);
        try
        {
            await using var probe = new NpgsqlConnection(connectionString);
            await probe.OpenAsync(cancellationToken);
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.InvalidCatalogName)
        {
            await using var server = new NpgsqlConnection(new NpgsqlConnectionStringBuilder(connectionString) { Database = "postgres", Pooling = false }.ConnectionString);
            await server.OpenAsync(cancellationToken);
            await using var create = new NpgsqlCommand($"CREATE DATABASE \"{wanted.Database!.Replace("\"", "\"\"", StringComparison.Ordinal)}\"", server);
            try
            {
                await create.ExecuteNonQueryAsync(cancellationToken);
            }
            catch (PostgresException again) when (again.SqlState is PostgresErrorCodes.DuplicateDatabase or PostgresErrorCodes.UniqueViolation)
            {
                // Another process made it at the same moment.
            }
        }
    }
}
