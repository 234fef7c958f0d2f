using Microsoft.EntityFrameworkCore.Storage;
using Npgsql.EntityFrameworkCore.PostgreSQL;

namespace MeshFabric.Persistence;

/// <summary>How long to go on trying while the database is away. Without a limit: through a restart; somebody who waits for an answer gets one sooner.</summary>
public static class DatabasePatience
{
    static readonly AsyncLocal<long?> End = new();

    /// <summary>From now on, for this flow of control and what it calls.</summary>
    public static void Limit(TimeSpan limit) => End.Value = Environment.TickCount64 + (long)limit.TotalMilliseconds;

    /// <summary>Null without a limit.</summary>
    internal static TimeSpan? Left => End.Value is { } end ? TimeSpan.FromMilliseconds(Math.Max(0, end - Environment.TickCount64)) : null;
}

/// <summary>Retries what fails because the database is away, within <see cref="DatabasePatience"/>.</summary>
/// <remarks>Measured: a killed PostgreSQL is back after 2 to 22 s; eight retries of at most 3 s were too few.</remarks>
sealed class PatientStrategy(ExecutionStrategyDependencies dependencies) : NpgsqlRetryingExecutionStrategy(dependencies, 12, TimeSpan.FromSeconds(5), null)
{
    protected override TimeSpan? GetNextDelay(Exception lastException) =>
        base.GetNextDelay(lastException) is { } delay && (DatabasePatience.Left is not { } left || delay <= left) ? delay : null;
}
