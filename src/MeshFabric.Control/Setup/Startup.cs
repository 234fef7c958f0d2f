using MeshFabric.Control.Api;
using MeshFabric.Control.Meshing;
using MeshFabric.Domain;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;
using Npgsql;

namespace MeshFabric.Control.Setup;

/// <summary>Why the service does not start, in words for whoever runs it.</summary>
public sealed class StartupException(string message, Exception? inner = null) : Exception(message, inner);

/// <summary>Before anything listens: the database answers, its schema is current, the mesh has its row and somebody can log in.</summary>
public sealed partial class Startup(IDbContextFactory<MeshDbContext> contexts, IOptions<BootstrapOptions> bootstrap, TimeProvider time, ILogger<Startup> log) : IHostedLifecycleService
{
    static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);
    static readonly TimeSpan Pause = TimeSpan.FromSeconds(1);

    public async Task StartingAsync(CancellationToken cancellationToken)
    {
        await WaitForSchemaAsync(cancellationToken);
        await using var outer = await contexts.CreateDbContextAsync(cancellationToken);
        await outer.Database.CreateExecutionStrategy().ExecuteAsync(BootstrapAsync, cancellationToken);
    }

    public Task StartAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StartedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppingAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StopAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    public Task StoppedAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    async Task WaitForSchemaAsync(CancellationToken cancellationToken)
    {
        var began = time.GetTimestamp();
        // The loop below does the waiting, and says so.
        DatabasePatience.Limit(TimeSpan.Zero);
        while (true)
        {
            try
            {
                await using var db = await contexts.CreateDbContextAsync(cancellationToken);
                if (await MeshDatabase.SchemaProblemAsync(db, cancellationToken) is { } problem)
                {
                    throw new StartupException(problem);
                }

                return;
            }
            catch (Exception e) when (MeshDatabase.IsUnavailable(e))
            {
                var reason = e.GetBaseException().Message;
                if (time.GetElapsedTime(began) > Patience)
                {
                    throw new StartupException($"The database did not answer for {Patience.TotalSeconds:0} s: {reason}. Check Database:ConnectionString and that PostgreSQL runs.", e);
                }

                LogWaiting(log, reason);
                await Task.Delay(Pause, time, cancellationToken);
            }
            catch (NpgsqlException e)
            {
                throw new StartupException($"The database refuses: {e.Message}. Check Database:ConnectionString; 'meshfabric-schema apply' makes the database.", e);
            }
        }
    }

    // Replicas may start together: the mesh row's lock lets one of them make the first token.
    async Task BootstrapAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        await using var transaction = await db.Database.BeginTransactionAsync(cancellationToken);
        var settings = System.Text.Json.JsonSerializer.Serialize(MeshSettings.Default, System.Text.Json.JsonSerializerOptions.Web);
        await db.Database.ExecuteSqlAsync($"INSERT INTO mesh (id, revision, published_revision, settings) VALUES ({MeshRow.OnlyId}, 0, 0, {settings}::jsonb) ON CONFLICT DO NOTHING", cancellationToken);
        await db.Mesh.FromSql($"SELECT * FROM mesh WHERE id = 1 FOR UPDATE").SingleAsync(cancellationToken);
        if (await db.ApiTokens.AnyAsync(cancellationToken))
        {
            await transaction.CommitAsync(cancellationToken);
            return;
        }

        var token = ApiTokenText.New();
        var now = time.GetUtcNow();
        db.ApiTokens.Add(new ApiTokenRow { Id = token.Id, Name = "first-admin", Hash = TokenSecret.Hash(token.Secret), Role = Roles.Admin, Description = "Made at the first start", CreatedAt = now });
        db.Audit.Add(new AuditRow { At = now, Actor = Caller.System.Actor, Action = "api-token.create", Target = "api-token/first-admin" });
        await db.SaveChangesAsync(cancellationToken);
        // The file comes first: a crash after it leaves a token that nobody knows, a crash after the commit would lock everybody out.
        var file = bootstrap.Value.AdminTokenFile;
        if (file.Length > 0)
        {
            await WriteAsync(file, token, cancellationToken);
        }

        await transaction.CommitAsync(cancellationToken);
        await Console.Out.WriteLineAsync(file.Length > 0
            ? $"The first admin token is in {file}. Log in with: mfctl login --token-file {file}"
            : $"The first admin token, shown only now: {token.Reveal()}");
    }

    static async Task WriteAsync(string file, ApiTokenText token, CancellationToken cancellationToken)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        var fresh = file + ".new";
        File.Delete(fresh);
        await using (var writer = new StreamWriter(new FileStream(fresh, options)))
        {
            await writer.WriteLineAsync(token.Reveal().AsMemory(), cancellationToken);
        }

        File.Move(fresh, file, overwrite: true);
    }

    [LoggerMessage(1501, LogLevel.Warning, "Waiting for the database: {Reason}")]
    static partial void LogWaiting(ILogger logger, string reason);
}
