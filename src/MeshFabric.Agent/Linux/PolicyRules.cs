using MeshFabric.Netlink.Route;

namespace MeshFabric.Agent.Linux;

/// <summary>Our policy rules, recognised by their protocol number.</summary>
static class PolicyRules
{
    /// <summary>Makes the rules of one protocol exactly these, adding before deleting.</summary>
    public static void Apply(RouteNetlink netlink, byte protocol, IEnumerable<PolicyRule> rules)
    {
        var wanted = rules.ToList();
        var present = netlink.Rules().Where(r => r.Protocol == protocol).ToList();
        foreach (var rule in wanted.Except(present))
        {
            netlink.AddRule(rule);
        }

        foreach (var rule in present.Except(wanted))
        {
            netlink.DeleteRule(rule);
        }
    }
}
