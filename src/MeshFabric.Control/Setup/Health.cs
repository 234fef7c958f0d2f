using MeshFabric.Control.Messaging;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;
using Npgsql;

namespace MeshFabric.Control.Setup;

/// <summary>One dependency: ready, or why not.</summary>
public sealed record Dependency(string Name, bool Ready, string Message);

/// <param name="Status">ready; degraded (reads and tunnels work, enrolment and news to agents wait for the broker); unready.</param>
public sealed record Readiness(string Status, IReadOnlyList<Dependency> Dependencies);

/// <summary>Liveness and readiness. Only a missing database makes a replica unready: without the broker it still answers, which is when people look.</summary>
public static class Health
{
    static readonly TimeSpan Limit = TimeSpan.FromSeconds(3);

    public static void MapHealth(this IEndpointRouteBuilder root)
    {
        root.MapGet("/livez", () => TypedResults.Text("ok")).WithTags("Health");
        root.MapGet("/healthz", () => TypedResults.Text("ok")).WithTags("Health");
        root.MapGet("/readyz", ReadyAsync).WithTags("Health");
    }

    static async Task<IResult> ReadyAsync(IDbContextFactory<MeshDbContext> contexts, IBrokerAdmin broker, CancellationToken cancellationToken)
    {
        var checks = await Task.WhenAll(
            CheckAsync("database", token => DatabaseAsync(contexts, token), cancellationToken),
            CheckAsync("broker", async token =>
            {
                await broker.ListAsync(token);
                return null;
            }, cancellationToken));
        var status = !checks[0].Ready ? "unready" : checks[1].Ready ? "ready" : "degraded";
        return TypedResults.Json(new Readiness(status, checks), statusCode: checks[0].Ready ? StatusCodes.Status200OK : StatusCodes.Status503ServiceUnavailable);
    }

    // One plain connection: the retries of ordinary requests would hide for a minute that it is away.
    static async Task<string?> DatabaseAsync(IDbContextFactory<MeshDbContext> contexts, CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await using var connection = new NpgsqlConnection(db.Database.GetConnectionString());
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand("SELECT 1", connection);
        await command.ExecuteScalarAsync(cancellationToken);
        return null;
    }

    static async Task<Dependency> CheckAsync(string name, Func<CancellationToken, Task<string?>> check, CancellationToken cancellationToken)
    {
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(Limit);
        try
        {
            return await check(limit.Token) is { } problem ? new Dependency(name, false, problem) : new Dependency(name, true, "ok");
        }
        catch (Exception e) when (!cancellationToken.IsCancellationRequested)
        {
            return new Dependency(name, false, e is OperationCanceledException ? $"no answer within {Limit.TotalSeconds:0} s" : e.Message);
        }
    }
}
