using System.Globalization;
using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Api;

/// <summary><c>/events</c> and <c>/audit-records</c>: what happened, in order.</summary>
public static class EventsApi
{
    const int MaxWaitSeconds = 25;
    static readonly TimeSpan Look = TimeSpan.FromMilliseconds(500);

    public static void MapEvents(this IEndpointRouteBuilder api)
    {
        var group = api.MapGroup("").WithTags("Events");
        group.MapGet("/events", ListAsync).WithName("ListEvents")
            .WithSummary("Events after ?after=SEQUENCE, oldest first; ?wait=SECONDS holds the answer until there is one; ?tail=N gives the newest N; ?subject= filters by its beginning, ?severity=info|warning|error by that, ?since=TIME (RFC 3339) by age");
        group.MapGet("/audit-records", AuditAsync).WithName("ListAuditRecords").RequireAuthorization(Roles.Admin)
            .WithSummary("Audit records after ?after=SEQUENCE, oldest first; ?tail=N gives the newest N");
    }

    static async Task<Page<EventResource>> ListAsync(
        Paging paging, long? after, int? wait, int? tail, string? subject, string? severity, string? since, MeshDbContext db, TimeProvider time, CancellationToken cancellationToken)
    {
        if (wait is < 0 or > MaxWaitSeconds)
        {
            throw Refusal.Query("wait", $"a number of seconds from 0 to {MaxWaitSeconds} is needed");
        }

        if (severity is not (null or "info" or "warning" or "error"))
        {
            throw Refusal.Query("severity", "one of info, warning, error is needed");
        }

        var from = since is null ? DateTimeOffset.MinValue
            : DateTimeOffset.TryParse(since, CultureInfo.InvariantCulture, DateTimeStyles.AssumeUniversal | DateTimeStyles.AdjustToUniversal, out var moment) ? moment
            : throw Refusal.Query("since", "a time such as 2027-01-31T12:00:00Z is needed");
        var deadline = time.GetUtcNow().AddSeconds(wait ?? 0);
        while (true)
        {
            var page = await ReadAsync(Settled(db).Where(e => e.At >= from && (subject == null || e.Subject.StartsWith(subject)) && (severity == null || e.Severity == severity)), e => e.Sequence, paging, after, tail, e =>
                new EventResource(e.Sequence, e.At, e.Type, e.Severity, e.Subject, e.Actor, e.Message), e => e.Sequence, cancellationToken);
            if (page.Items.Count > 0 || time.GetUtcNow() >= deadline)
            {
                return page;
            }

            await Task.Delay(Look, time, cancellationToken);
        }
    }

    static Task<Page<AuditRecordResource>> AuditAsync(Paging paging, long? after, int? tail, MeshDbContext db, CancellationToken cancellationToken) =>
        ReadAsync(db.Audit.AsNoTracking(), a => a.Sequence, paging, after, tail, a =>
            new AuditRecordResource(a.Sequence, a.At, a.Actor, a.Action, a.Target, Element(a.Before), Element(a.After), a.RequestId, a.RemoteAddress), a => a.Sequence, cancellationToken);

    // Sequence numbers are given out before commit: one that commits late would hide behind a higher one that was read already.
    // So only events whose transaction is older than every open one are shown.
    static IQueryable<EventRow> Settled(MeshDbContext db) =>
        db.Events.FromSql($"SELECT * FROM events WHERE transaction < pg_snapshot_xmin(pg_current_snapshot())").AsNoTracking();

    static async Task<Page<TOut>> ReadAsync<T, TOut>(
        IQueryable<T> rows, System.Linq.Expressions.Expression<Func<T, long>> sequence, Paging paging, long? after, int? tail, Func<T, TOut> show, Func<T, long> number, CancellationToken cancellationToken)
        where T : class
    {
        if (tail is { } last)
        {
            if (last is < 1 or > Paging.MaxLimit)
            {
                throw Refusal.Query("tail", $"a number from 1 to {Paging.MaxLimit} is needed");
            }

            var newest = await rows.OrderByDescending(sequence).Take(last).ToListAsync(cancellationToken);
            newest.Reverse();
            return new Page<TOut>(newest.Select(show).ToList(), null, await rows.CountAsync(cancellationToken));
        }

        var from = paging.After is null ? after ?? 0 : long.TryParse(paging.After, NumberStyles.None, CultureInfo.InvariantCulture, out var cursor) ? cursor : throw Refusal.Query("cursor", "hand back a cursor as it came");
        var parameter = sequence.Parameters[0];
        var later = System.Linq.Expressions.Expression.Lambda<Func<T, bool>>(
            System.Linq.Expressions.Expression.GreaterThan(sequence.Body, System.Linq.Expressions.Expression.Constant(from)), parameter);
        var items = await rows.Where(later).OrderBy(sequence).Take(paging.Limit + 1).ToListAsync(cancellationToken);
        var more = items.Count > paging.Limit;
        var shown = items.Take(paging.Limit).ToList();
        return new Page<TOut>(shown.Select(show).ToList(), more ? Paging.Encode(number(shown[^1]).ToString(CultureInfo.InvariantCulture)) : null, await rows.CountAsync(cancellationToken));
    }

    static JsonElement? Element(string? json)
    {
        if (json is null)
        {
            return null;
        }

        using var document = JsonDocument.Parse(json);
        return document.RootElement.Clone();
    }
}
