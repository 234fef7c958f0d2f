using System.Collections.Concurrent;
using System.Security.Cryptography;
using MeshFabric.Contracts.Messages;
using MeshFabric.Control.Messaging;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Setup;
using MeshFabric.Net;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.Extensions.Options;

namespace MeshFabric.Control.Meshing;

/// <summary>Sees to it that every gateway holds the newest mesh secret, and that the facts say which one each holds: pre-shared keys are made from the newest that both sides of a tunnel have.</summary>
/// <remarks>Level-triggered: it compares what heartbeats say with the facts. Every replica may do it at any time. No secret is stored: each is made anew from the CA's key and the epoch's salt.</remarks>
public sealed partial class MeshKeys(
    IDbContextFactory<MeshDbContext> contexts, FactsStore facts, ICertificateAuthority authority, IAgentPost post, IOptions<KeysOptions> options, TimeProvider time, ILogger<MeshKeys> log) : WokenReconciler(Period, Pause, time)
{
    static readonly TimeSpan Period = TimeSpan.FromSeconds(5);

    // Heartbeats come in crowds.
    static readonly TimeSpan Pause = TimeSpan.FromMilliseconds(200);

    // It answers with a heartbeat at once.
    static readonly TimeSpan Again = TimeSpan.FromSeconds(15);

    // What agents say must not make the mesh change its keys all the time.
    static readonly TimeSpan Calm = TimeSpan.FromMinutes(2);

    readonly ConcurrentDictionary<string, (int Epoch, DateTimeOffset At)> _issued = [];

    sealed record Holder(string Id, string PublicKey, int KeyEpoch, int? Held, DateTimeOffset? LastSeen);

    protected override void Failed(string reason) => LogFailed(log, reason);

    public override async Task ReconcileAsync(CancellationToken cancellationToken)
    {
        await using var db = await contexts.CreateDbContextAsync(cancellationToken);
        var holders = await HoldersAsync(db, cancellationToken);
        // An agent that knows nothing of them never says anything else.
        if (holders.TrueForAll(h => h.Held is null && h.KeyEpoch == 0))
        {
            return;
        }

        var newest = await NewestAsync(db, holders, cancellationToken);
        if (holders.Exists(h => Due(h.KeyEpoch, h.Held, newest.Epoch) is not null))
        {
            await facts.ChangeAsync(change => TakeOverAsync(change, cancellationToken), cancellationToken);
        }

        // Read again, now: who left before this epoch began is not among them.
        await IssueAsync(newest, await HoldersAsync(db, cancellationToken), cancellationToken);
    }

    static Task<List<Holder>> HoldersAsync(MeshDbContext db, CancellationToken cancellationToken) =>
        db.Gateways.AsNoTracking().Select(g => new Holder(g.Id, g.PublicKey, g.KeyEpoch, g.HeldEpoch, g.LastSeen)).ToListAsync(cancellationToken);

    /// <summary>The epoch that the facts are to say, or null where they are right. One that lost its secret gets it again, and is not taken for one without meanwhile.</summary>
    static int? Due(int fact, int? held, int newest) => held is null ? (fact == 0 ? null : 0) : held <= newest && held > fact ? held : null;

    async Task<KeyEpochRow> NewestAsync(MeshDbContext db, List<Holder> holders, CancellationToken cancellationToken)
    {
        var newest = await KeyEpochs.NewestAsync(db, cancellationToken);
        var now = Time.GetUtcNow();
        var used = holders.Select(h => h.Held ?? 0).Where(h => h <= KeyEpochs.Most(newest?.Epoch ?? 0, now)).DefaultIfEmpty().Max();
        var reason = newest is null ? "the first gateway came"
            : used > newest.Epoch && now - newest.CreatedAt >= Calm ? "gateways hold a newer epoch than this service knows of"
            : newest.Check is { } check && !CryptographicOperations.FixedTimeEquals(check, CheckOf(newest)) ? "the CA's key is another one"
            : options.Value.RotationDays > 0 && now - newest.CreatedAt >= TimeSpan.FromDays(options.Value.RotationDays) ? $"they are {options.Value.RotationDays} days old"
            : null;
        if (reason is not null)
        {
            await facts.ChangeAsync(async change =>
            {
                // Another replica may have done it meanwhile.
                if ((await KeyEpochs.NewestAsync(change.Db, cancellationToken))?.Epoch == newest?.Epoch)
                {
                    await change.RenewKeysAsync(reason, "system", used, cancellationToken);
                }

                return true;
            }, cancellationToken);
            newest = await KeyEpochs.NewestAsync(db, cancellationToken);
        }

        if (newest!.Check is null)
        {
            newest.Check = CheckOf(newest);
            await db.KeyEpochs.Where(e => e.Epoch == newest.Epoch && e.Check == null).ExecuteUpdateAsync(e => e.SetProperty(r => r.Check, newest.Check), cancellationToken);
        }

        return newest;
    }

    static async Task<bool> TakeOverAsync(FactsChange change, CancellationToken cancellationToken)
    {
        await change.Db.SaveChangesAsync(cancellationToken);
        var newest = (await KeyEpochs.NewestAsync(change.Db, cancellationToken))?.Epoch ?? 0;
        foreach (var cluster in await FactsStore.Clusters(change.Db).ToListAsync(cancellationToken))
        {
            foreach (var gateway in cluster.Gateways)
            {
                if (Due(gateway.KeyEpoch, gateway.HeldEpoch, newest) is { } epoch)
                {
                    gateway.KeyEpoch = epoch;
                    change.Touch(cluster);
                }
            }
        }

        return true;
    }

    async Task IssueAsync(KeyEpochRow newest, List<Holder> holders, CancellationToken cancellationToken)
    {
        var now = Time.GetUtcNow();
        var secret = new Lazy<MeshSecret>(() => SecretOf(newest));
        foreach (var holder in holders.Where(h => h.Held is { } held && held < newest.Epoch && now - h.LastSeen < Liveness.Limit))
        {
            if (_issued.TryGetValue(holder.Id, out var last) && last.Epoch == newest.Epoch && now - last.At < Again)
            {
                continue;
            }

            // Whatever comes of it: one that cannot be sent to keeps no other waiting.
            _issued[holder.Id] = (newest.Epoch, now);
            try
            {
                await post.SendAsync(holder.Id, new MeshSecretIssued(newest.Epoch, secret.Value.Seal(PublicKey.Parse(holder.PublicKey), newest.Epoch)), cancellationToken);
            }
            catch (Exception e) when (e is not (OperationCanceledException or TimeoutException))
            {
                LogNotIssued(log, holder.Id, newest.Epoch, e.Message);
            }
        }

        foreach (var gone in _issued.Keys.Except(holders.Select(h => h.Id)))
        {
            _issued.TryRemove(gone, out _);
        }
    }

    MeshSecret SecretOf(KeyEpochRow epoch) => new(authority.DeriveSecret($"meshfabric mesh secret {epoch.Epoch}", epoch.Salt, MeshSecret.Size));

    byte[] CheckOf(KeyEpochRow epoch) => authority.DeriveSecret($"meshfabric mesh secret check {epoch.Epoch}", epoch.Salt, 16);

    [LoggerMessage(1711, LogLevel.Warning, "Gateway {GatewayId} could not be sent the mesh secret of epoch {Epoch}: {Reason}")]
    static partial void LogNotIssued(ILogger logger, string gatewayId, int epoch, string reason);

    [LoggerMessage(1710, LogLevel.Warning, "Mesh secrets could not be brought up to date and will be tried again: {Reason}")]
    static partial void LogFailed(ILogger logger, string reason);
}
