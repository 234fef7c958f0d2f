using System.Net.Sockets;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Storage;
using Npgsql;

namespace MeshFabric.Persistence;

/// <summary>How every host connects: retries through a restart of PostgreSQL.</summary>
public static class MeshDatabase
{
    /// <summary>The assembly that holds the schema changes.</summary>
    public const string SchemaAssembly = "meshfabric-schema";

    /// <summary>The newest schema change that this build of the model needs.</summary>
    public const string SchemaVersion = "20261123005312_Initial";

    /// <summary>Null when the schema is what this build needs (or newer); else what to do.</summary>
    public static async Task<string?> SchemaProblemAsync(MeshDbContext db, CancellationToken cancellationToken)
    {
        const string Mend = "Run 'meshfabric-schema apply' first; the service never changes the schema by itself.";
        try
        {
            var applied = await db.Database.SqlQuery<string>($"SELECT \"MigrationId\" AS \"Value\" FROM schema_changes").ToListAsync(cancellationToken);
            return applied.Contains(SchemaVersion) ? null : $"The database schema is too old: {SchemaVersion} is missing. {Mend}";
        }
        catch (PostgresException e) when (e.SqlState == PostgresErrorCodes.UndefinedTable)
        {
            return $"The database has no schema yet. {Mend}";
        }
    }

    public static void Configure(DbContextOptionsBuilder options, string connectionString) =>
        options.UseNpgsql(connectionString, npgsql => npgsql
            .MigrationsAssembly(SchemaAssembly)
            .MigrationsHistoryTable("schema_changes")
            // Measured: a killed PostgreSQL is back after 2 to 22 s; eight retries of 3 s were too few.
            .EnableRetryOnFailure(12, TimeSpan.FromSeconds(5), null));

    /// <summary>True when the database could not be reached or was just going down: the same again may succeed.</summary>
    public static bool IsUnavailable(Exception exception) => exception switch
    {
        RetryLimitExceededException => true,
        NpgsqlException npgsql => npgsql.IsTransient || npgsql.InnerException is SocketException or TimeoutException,
        DbUpdateException { InnerException: { } inner } => IsUnavailable(inner),
        InvalidOperationException { InnerException: NpgsqlException inner } => IsUnavailable(inner),
        _ => false,
    };

    /// <summary>True when a unique or exclusion constraint refused the change: somebody else was first.</summary>
    public static bool IsConflict(DbUpdateException exception) =>
        exception.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.ExclusionViolation };
}
