using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MeshFabric.Persistence;

/// <summary>How every host connects: retries through a restart of PostgreSQL.</summary>
public static class MeshDatabase
{
    /// <summary>The assembly that holds the schema changes.</summary>
    public const string SchemaAssembly = "meshfabric-schema";

    public static void Configure(DbContextOptionsBuilder options, string connectionString) =>
        options.UseNpgsql(connectionString, npgsql => npgsql
            .MigrationsAssembly(SchemaAssembly)
            .MigrationsHistoryTable("schema_changes")
            // Measured: a killed PostgreSQL is back after 2 to 22 s; eight retries of 3 s were too few.
            .EnableRetryOnFailure(12, TimeSpan.FromSeconds(5), null));

    /// <summary>True when a unique or exclusion constraint refused the change: somebody else was first.</summary>
    public static bool IsConflict(DbUpdateException exception) =>
        exception.InnerException is PostgresException { SqlState: PostgresErrorCodes.UniqueViolation or PostgresErrorCodes.ExclusionViolation };
}
