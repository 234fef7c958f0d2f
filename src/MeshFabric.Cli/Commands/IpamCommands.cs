using System.CommandLine;
using MeshFabric.Cli.Output;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain.Clusters;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl ipam</c>: the address plan.</summary>
static class IpamCommands
{
    static readonly View<AddressPoolResource> Pool = new(p => $"address-pool/{p.Cidr}",
        new("POOL", p => $"{p.Cidr}"),
        new("PURPOSE", p => p.Purpose),
        new("ALLOCATIONS", p => $"{p.Allocations}"),
        new("USED", p => Figures.Percent(p.UsedRatio)));

    static readonly View<PrefixResource> Prefix = new(p => $"prefix/{p.Mesh}",
        new("CLUSTER", p => p.Cluster),
        new("PURPOSE", p => p.Purpose),
        new("LOCAL", p => $"{p.Local}"),
        new("MESH", p => $"{p.Mesh}"),
        new("REMAPPED", p => p.Remapped ? "yes" : "no"));

    static readonly View<AddressConflictResource> Conflict = new(c => $"address-conflict/{c.Cluster}/{c.OverlapsCluster}",
        new("CLUSTER", c => c.Cluster),
        new("LOCAL", c => $"{c.Local}"),
        new("OVERLAPS", c => $"{c.OverlapsLocal} of {c.OverlapsCluster}"),
        new("RESOLUTION", c => c.Resolution));

    public static Command Create(Cli cli) => new MeshCommand("ipam", "The address plan: pools, prefixes in use, overlaps and how they are solved", "mfctl ipam allocations", "mfctl ipam plan --pod-cidr 10.8.0.0/14")
    {
        List(cli, "pools", "List the pools that prefixes are taken from", "address-pools", Pool), Allocations(cli),
        List(cli, "conflicts", "List CIDRs that several clusters use, and how each reaches the other", "address-conflicts", Conflict), Plan(cli),
    };

    static Command List<T>(Cli cli, string name, string description, string path, View<T> view)
    {
        var command = new MeshCommand(name, description, $"mfctl ipam {name}", $"mfctl ipam {name} -o json");
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            session.Printer.List(view, await session.Client.ListAsync<T>(path, cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Allocations(Cli cli)
    {
        var cluster = ClusterCommands.Filter(cli, "Only prefixes of this cluster");
        var command = new MeshCommand("allocations", "List the prefixes in use", "mfctl ipam allocations", "mfctl ipam allocations --cluster aurora") { cluster };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            session.Printer.List(Prefix, await session.Client.ListAsync<PrefixResource>(session.Get(cluster) is { } only ? $"prefixes?cluster={Uri.EscapeDataString(only)}" : "prefixes", cancellationToken));
            return ExitCode.Ok;
        }));
        return command;
    }

    static Command Plan(Cli cli)
    {
        var cidrs = new Option<string[]>("--pod-cidr") { HelpName = "CIDR", Description = "CIDR to check; repeat for several" };
        var length = new Option<int?>("--length") { HelpName = "BITS", Description = "Without --pod-cidr: propose a free CIDR of this length; default 16 (IPv6: 48)" };
        var family = new Option<string?>("--family") { HelpName = "FAMILY", Description = "Without --pod-cidr: ipv4 (default) or ipv6" };
        family.CompletionSources.Add("ipv4", "ipv6");
        var command = new MeshCommand("plan", "Show what would happen to a new cluster's CIDRs, or propose a free one; changes nothing",
            "mfctl ipam plan --pod-cidr 10.8.0.0/14",
            "mfctl ipam plan --length 20")
        {
            cidrs, length, family,
        };
        command.SetAction(cli.Remote(async (session, cancellationToken) =>
        {
            var asked = session.Get(cidrs) is { Length: > 0 } given ? given : null;
            var plan = await session.Client.PlanAddressesAsync(new CreateAddressPlan(asked, asked is null ? session.Get(length) : null, asked is null ? session.Get(family) : null), cancellationToken);
            session.Printer.Print(ClusterJoin.Plan, plan, plan.Suggestion is { } free ? [new MeshPrefix(free, free)] : plan.Prefixes);
            foreach (var finding in plan.Findings)
            {
                session.Warn($"{finding.Code}: {finding.Message} {finding.Hint}");
            }

            return plan.Findings.Count == 0 ? ExitCode.Ok : ExitCode.Failed;
        }));
        return command;
    }
}
