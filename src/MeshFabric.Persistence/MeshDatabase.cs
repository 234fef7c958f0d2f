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
    public const string SchemaVersion = "20261129205137_Leaves";

    /// <summary>Null when the schema is what this build needs; else what to do.</summary>
    public static async Task<string?> SchemaProblemAsync(MeshDbContext db, CancellationToken cancellationToken)
    {
        const string Mend = "Run 'meshfabric-schema apply' first; the service never changes the schema by itself.";
        try
        {
            var applied = await db.Database.SqlQuery<string>($"SELECT \"MigrationId\" AS \"Value\" FROM schema_changes").ToListAsync(cancellationToken);
            var newest = applied.Max(StringComparer.Ordinal) ?? "";
            return !applied.Contains(SchemaVersion) ? $"The database schema is too old: {SchemaVersion} is missing. {Mend}"
                : string.CompareOrdinal(newest, SchemaVersion) > 0 ? $"The database schema is too new: it has {newest}, and this build knows none after {SchemaVersion}. Run the version of meshfabric-control that came with that schema change."
                : null;
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
            .ExecutionStrategy(dependencies => new PatientStrategy(dependencies)));

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

    /// <summary>True when the database refused what it was asked (PostgreSQL's classes 22, 23 and 42: data, integrity, syntax): the same again fails again, for it is our fault.</summary>
    public static bool IsFault(Exception exception) => exception.GetBaseException() is PostgresException { SqlState: ['2', '2' or '3', ..] or ['4', '2', ..] };
}
