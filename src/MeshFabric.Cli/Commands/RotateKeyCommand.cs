using System.CommandLine;
using MeshFabric.Cli.Asking;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;
using MeshFabric.Net;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl tunnel rotate-key</c>.</summary>
static class RotateKeyCommand
{
    // A gateway takes about ten seconds, and those of a cluster come one after the other.
    static readonly TimeSpan DefaultWait = TimeSpan.FromMinutes(10);

    static readonly View<KeysResource> View = new(k => $"keys/{k.Epoch}",
        new("EPOCH", k => $"{k.Epoch}"),
        new("SINCE", k => Figures.At(k.Since)),
        new("GATEWAYS", k => $"{k.Holding}/{k.Gateways}"),
        new("DEVICE-KEYS", k => k.ChangingDeviceKey.Count == 0 ? "settled" : $"{k.ChangingDeviceKey.Count} to change"),
        new("REASON", k => k.Reason));

    public static Command Create(Cli cli)
    {
        var cluster = new Argument<string?>("cluster") { Description = "Change the device keys of this cluster's gateways, one gateway after the other", Arity = ArgumentArity.ZeroOrOne };
        cluster.CompletionSources.Add(cli.Names.Clusters);
        var all = new Option<bool>("--all") { Description = "All keys of the mesh: the pre-shared ones of all tunnels, and every gateway's device key" };
        var preShared = new Option<bool>("--pre-shared-only") { Description = "With --all: leave device keys as they are" };
        var reason = new Option<string?>("--reason") { HelpName = "TEXT", Description = "For the event and the audit record" };
        var noWait = new Option<bool>("--no-wait") { Description = "Do not wait until all gateways that are heard of use the new keys" };
        var command = new MeshCommand("rotate-key", "Change keys while tunnels carry. Pre-shared keys: each tunnel goes on with its session, and its next handshake (within 2 minutes) has the new key. Device keys: all others hold the next key ready, the cluster's other gateways carry, then the gateway changes",
            "mfctl tunnel rotate-key aurora",
            "mfctl tunnel rotate-key --all",
            "mfctl tunnel rotate-key --all --pre-shared-only --reason 'a laptop with a backup was lost'")
        {
            cluster, all, preShared, reason, noWait,
        };
        command.Validators.Add(result =>
        {
            if (result.GetValue(cluster) is null != result.GetValue(all))
            {
                result.AddError("name a cluster, or say --all");
            }
            else if (result.GetValue(preShared) && !result.GetValue(all))
            {
                result.AddError("--pre-shared-only goes with --all: pre-shared keys are made from one secret, for all tunnels");
            }
        });
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var before = (await session.Client.ListGatewaysAsync(session.Get(cluster), cancellationToken)).ToDictionary(g => g.Metadata.Name, g => g.Spec.PublicKey, StringComparer.Ordinal);
            var keys = session.Get(cluster) is { } name
                ? await session.Client.ChangeDeviceKeysAsync(name, new ChangeDeviceKeys(session.Get(reason)), cancellationToken)
                : await session.Client.RenewKeysAsync(new RenewKeys(session.Get(reason)) { DeviceKeys = !session.Get(preShared) }, cancellationToken);
            if (!session.Get(noWait))
            {
                var epoch = session.Get(all) ? keys.Epoch : 0;
                var asked = keys.ChangingDeviceKey.Where(before.ContainsKey).ToHashSet(StringComparer.Ordinal);
                keys = await SettledAsync(session, epoch, asked, cancellationToken);
                await RequireOthersAsync(session, asked.Except(keys.ChangingDeviceKey).ToDictionary(g => g, g => before[g]), cancellationToken);
            }

            session.Printer.One(View, keys);
            return ExitCode.Ok;
        }));
        return command;
    }

    /// <exception cref="CommandException">Some stayed with the key that they had.</exception>
    static async Task RequireOthersAsync(Session session, Dictionary<string, PublicKey> former, CancellationToken cancellationToken)
    {
        var same = (await session.Client.ListGatewaysAsync(null, cancellationToken)).Where(g => former.TryGetValue(g.Metadata.Name, out var key) && key == g.Spec.PublicKey).Select(g => g.Metadata.Name).ToList();
        if (same.Count > 0)
        {
            throw new CommandException(ExitCode.PartlyDone, $"these gateways stay with the device key that they have: {string.Join(", ", same)}", "mfctl events tells why");
        }
    }

    /// <summary>Waits until every gateway that is heard of holds an epoch and uses it, and those that were asked have another device key.</summary>
    /// <param name="epoch">0: whichever.</param>
    static async Task<KeysResource> SettledAsync(Session session, int epoch, HashSet<string> asked, CancellationToken cancellationToken)
    {
        KeysResource? keys = null;
        var (limit, told) = (session.TimeoutOr(asked.Count > 0 ? DefaultWait : session.Timeout), -1);
        await Waiting.UntilAsync(limit, GatewayCommands.Look, async () =>
        {
            keys = await session.Client.GetKeysAsync(cancellationToken);
            var silent = (await session.Client.ListGatewaysAsync(null, cancellationToken)).Where(g => g.Status.State != "connected").Select(g => g.Metadata.Name).ToHashSet(StringComparer.Ordinal);
            var waiting = epoch == 0 ? [] : keys.Waiting.Where(w => !silent.Contains(w)).ToList();
            var changing = keys.ChangingDeviceKey.Where(g => asked.Contains(g) && !silent.Contains(g)).ToList();
            if (asked.Count > 0 && changing.Count != told)
            {
                told = changing.Count;
                session.Note($"{asked.Count - keys.ChangingDeviceKey.Count(asked.Contains)} of {asked.Count} device keys changed");
            }

            return keys.Epoch >= epoch && waiting.Count == 0 && changing.Count == 0 ? null : new CommandException(
                ExitCode.TimedOut,
                waiting.Count > 0
                    ? $"after {Duration.Text(limit)} these gateways do not have the secret of epoch {epoch} yet: {string.Join(", ", waiting)}; their tunnels go on with the keys they have"
                    : $"after {Duration.Text(limit)} the device keys of these gateways are not changed yet, and it goes on: {string.Join(", ", changing)}",
                "mfctl gateway list -o wide; mfctl events");
        }, cancellationToken);
        await GatewayCommands.AppliedAsync(session, cancellationToken);
        var absent = (epoch == 0 ? [] : keys!.Waiting).Concat(keys!.ChangingDeviceKey.Where(asked.Contains)).Distinct().ToList();
        if (absent.Count > 0)
        {
            session.Note($"not heard of, and looked after when they are: {string.Join(", ", absent)}");
        }

        return keys;
    }
}
