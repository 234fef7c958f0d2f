using System.CommandLine;
using System.Globalization;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl events</c>: what happened; with --follow also what happens.</summary>
static class EventsCommand
{
    /// <summary>Seconds the server may hold an answer while there is nothing new; below any --timeout that makes sense.</summary>
    const int HoldSeconds = 20;
    const int DefaultTail = 100;
    const int MaxTail = 500;
    static readonly TimeSpan Again = TimeSpan.FromSeconds(1);

    static readonly View<EventResource> View = new(e => $"event/{e.Sequence}",
        new("AT", e => Figures.At(e.At)),
        new("SEVERITY", e => e.Severity),
        new("TYPE", e => e.Type),
        new("SUBJECT", e => e.Subject),
        new("ACTOR", e => e.Actor, Wide: true),
        new("SEQUENCE", e => $"{e.Sequence}", Wide: true),
        new("MESSAGE", e => e.Message));

    public static Command Create(Cli cli)
    {
        var follow = new Option<bool>("--follow", "-f") { Description = "Go on with what happens, one line each, until interrupted; json is then one object a line" };
        var since = new Option<TimeSpan?>("--since") { HelpName = "DURATION", Description = "Only events not older than this, such as 30m or 2d", CustomParser = Duration.Parse };
        var tail = new Option<int?>("--tail") { HelpName = "N", Description = $"Only the newest N, at most {MaxTail}; default {DefaultTail} unless --since is given" };
        var subject = new Option<string?>("--subject") { HelpName = "TEXT", Description = "Only events whose subject begins so, such as cluster/aurora" };
        var command = new MeshCommand("events", "List what happened, oldest first",
            "mfctl events",
            "mfctl events --since 1h --subject cluster/aurora",
            "mfctl events --follow -o json")
        {
            follow, since, tail, subject,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var about = session.Get(subject) is { } text ? $"&subject={Uri.EscapeDataString(text)}" : "";
            var from = session.Get(since) is { } age ? $"&since={Uri.EscapeDataString((session.Shell.Time.GetUtcNow() - age).ToString("yyyy-MM-dd'T'HH:mm:ss.fff'Z'", CultureInfo.InvariantCulture))}" : "";
            var newest = session.Get(tail) ?? (from.Length == 0 ? DefaultTail : null);
            var past = newest is { } n
                ? (await session.Client.GetAsync<Page<EventResource>>($"events?tail={n}{about}{from}", cancellationToken)).Items
                : await session.Client.ListAsync<EventResource>($"events?{(about + from).TrimStart('&')}", cancellationToken);
            if (!session.Get(follow))
            {
                session.Printer.List(View, past);
                return ExitCode.Ok;
            }

            await FollowAsync(session, past, about, cancellationToken);
            return ExitCode.Interrupted;
        }));
        return command;
    }

    // The server answers as soon as there is something; while it is away one tries again from where one was.
    static async Task FollowAsync(Session session, IReadOnlyList<EventResource> past, string about, CancellationToken cancellationToken)
    {
        foreach (var e in past)
        {
            session.Printer.Line(View, e);
        }

        var after = past.Count > 0 ? past[^1].Sequence : 0;
        var hold = Math.Clamp((int)session.Timeout.TotalSeconds - 1, 0, HoldSeconds);
        for (var away = false; ;)
        {
            try
            {
                var page = await session.Client.GetAsync<Page<EventResource>>($"events?after={after}&wait={hold}&limit=500{about}", cancellationToken);
                away = false;
                foreach (var e in page.Items)
                {
                    session.Printer.Line(View, e);
                    after = e.Sequence;
                }
            }
            catch (Exception e) when (e is MeshUnreachableException or MeshApiException { Problem.Status: 502 or 503 or 504 })
            {
                if (!away)
                {
                    session.Warn($"{e.Message} Trying again.");
                }

                away = true;
                await Task.Delay(Again, cancellationToken);
            }
        }
    }
}
