using System.Net.Sockets;
using CsCheck;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Tests.Domain.Planning;

public sealed class AddressPlannerTests
{
    static readonly MeshSettings Settings = MeshSettings.Default;

    [Fact]
    public void A_free_cidr_is_kept_without_any_translation()
    {
        var plan = AddressPlanner.Plan(Settings, [], "c-a", "a", [Cidr.Parse("10.10.0.0/16"), Cidr.Parse("fd10:1::/48")]);
        Assert.Equal([new MeshPrefix(Cidr.Parse("10.10.0.0/16"), Cidr.Parse("10.10.0.0/16")), new MeshPrefix(Cidr.Parse("fd10:1::/48"), Cidr.Parse("fd10:1::/48"))], plan.Prefixes);
    }

    [Fact]
    public void An_overlapping_cidr_is_remapped_and_the_first_user_gets_an_alias_but_keeps_its_own()
    {
        var first = AddressPlanner.Plan(Settings, [], "c-a", "a", [Cidr.Parse("10.20.0.0/16")]);
        var second = AddressPlanner.Plan(Settings, first.Changed, "c-b", "b", [Cidr.Parse("10.20.0.0/16")]);
        Assert.Equal([new MeshPrefix(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.64.0.0/16"))], second.Prefixes);
        var other = Assert.Single(second.Changed.Skip(1));
        Assert.Equal([new MeshPrefix(Cidr.Parse("10.20.0.0/16"), Cidr.Parse("10.20.0.0/16"), Cidr.Parse("100.65.0.0/16"))], other.Prefixes);
    }

    [Fact]
    public void A_service_cidr_always_gets_a_prefix_of_the_pool_for_most_clusters_use_the_same_inside()
    {
        Cidr[] services = [Cidr.Parse("10.96.0.0/16")];
        var first = AddressPlanner.Plan(Settings, [], "c-a", "a", [Cidr.Parse("10.10.0.0/16")], services);
        var second = AddressPlanner.Plan(Settings, first.Changed, "c-b", "b", [Cidr.Parse("10.96.0.0/16")], []);

        Assert.Equal([new MeshPrefix(Cidr.Parse("10.10.0.0/16"), Cidr.Parse("10.10.0.0/16")), new MeshPrefix(services[0], Cidr.Parse("100.64.0.0/16")) { Services = true }], first.Prefixes);
        // Seen from a, its own Services would be in the way.
        Assert.Equal([new MeshPrefix(services[0], Cidr.Parse("100.65.0.0/16"))], second.Prefixes);
        Assert.Single(second.Changed);
    }

    [Fact]
    public void Services_that_are_no_longer_advertised_give_their_prefix_back_and_the_pods_keep_theirs()
    {
        var cidrs = new[] { Cidr.Parse("10.10.0.0/16") };
        var on = AddressPlanner.Plan(Settings, [], "c-a", "a", cidrs, [Cidr.Parse("10.96.0.0/12")]);
        var off = AddressPlanner.Plan(Settings, on.Changed, "c-a", "a", cidrs);
        Assert.Equal(on.Prefixes.Where(p => !p.Services), off.Prefixes);
    }

    [Fact]
    public void A_service_cidr_that_overlaps_the_clusters_pods_or_fits_no_pool_is_left_out_and_named()
    {
        var overlapping = AddressPlanner.Plan(Settings, [], "c-a", "a", [Cidr.Parse("10.0.0.0/16")], [Cidr.Parse("10.0.128.0/20")]);
        Assert.Equal("cidr-overlaps-own", Assert.Single(overlapping.Findings).Code);
        var large = AddressPlanner.Plan(Settings, [], "c-a", "a", [], [Cidr.Parse("10.0.0.0/9")]);
        Assert.Equal("pool-exhausted", Assert.Single(large.Findings).Code);
        Assert.Empty(large.Prefixes);
    }

    [Fact]
    public void Sixty_four_clusters_with_one_cidr_get_sixty_four_prefixes()
    {
        var facts = Meshes.Join(Enumerable.Range(0, 64).Select(i => ($"c{i:00}", 1, new[] { Cidr.Parse("10.244.0.0/16") })));
        Assert.Equal(64, facts.Clusters.SelectMany(c => c.Prefixes).Select(p => p.Mesh).Distinct().Count());
    }

    [Fact]
    public void When_the_pool_is_exhausted_the_prefix_is_left_out_and_named()
    {
        var settings = Settings with { RemapPools = [Cidr.Parse("100.64.0.0/16")] };
        var first = AddressPlanner.Plan(settings, [], "c-a", "a", [Cidr.Parse("10.20.0.0/15")]);
        var second = AddressPlanner.Plan(settings, first.Changed, "c-b", "b", [Cidr.Parse("10.20.0.0/15"), Cidr.Parse("10.30.0.0/16")]);
        Assert.Equal([Cidr.Parse("10.30.0.0/16")], second.Prefixes.Select(p => p.Local));
        Assert.Contains(second.Findings, f => f is { Code: "pool-exhausted", Subject: "cidr/10.20.0.0/15" });
    }

    [Theory]
    [InlineData("0.0.0.0/0", "cidr-everything")]
    [InlineData("::/0", "cidr-everything")]
    [InlineData("127.0.0.0/16", "cidr-reserved")]
    [InlineData("169.254.0.0/16", "cidr-reserved")]
    [InlineData("224.0.0.0/8", "cidr-reserved")]
    [InlineData("fe80::/64", "cidr-reserved")]
    [InlineData("100.80.0.0/16", "cidr-in-pool")]
    [InlineData("198.19.4.0/24", "cidr-in-pool")]
    [InlineData("10.0.0.0/7", "cidr-too-large")]
    public void A_cidr_that_cannot_join_is_refused_by_code(string cidr, string code) =>
        Assert.Equal(code, AddressPlanner.Check(Settings, Cidr.Parse(cidr))?.Code);

    [Fact]
    public void Whatever_joins_in_whatever_order_nothing_in_the_mesh_overlaps() => Meshes.Any.Sample(facts =>
    {
        var outside = facts.Clusters.SelectMany(c => c.Prefixes).SelectMany(p => p.Alias is null ? [p.Mesh] : new[] { p.Mesh, p.Alias })
            .Concat(facts.Settings.TunnelPools).ToList();
        for (var i = 0; i < outside.Count; i++)
        {
            for (var j = i + 1; j < outside.Count; j++)
            {
                Assert.False(outside[i].Overlaps(outside[j]), $"{outside[i]} and {outside[j]}");
            }
        }
    });

    [Fact]
    public void Every_cluster_can_address_every_prefix_of_every_other() => Meshes.Any.Sample(facts =>
        Assert.All(facts.Clusters, near => Assert.All(facts.Clusters.Where(c => c.Id != near.Id), far =>
            Assert.All(far.Prefixes, p => Assert.NotNull(p.SeenBy(near.Prefixes))))));

    [Fact]
    public void Asking_again_changes_nothing() => Meshes.Any.Sample(facts =>
    {
        var all = facts.Clusters.Select(c => new ClusterPrefixes(c.Id, c.Name, c.Prefixes)).ToList();
        foreach (var cluster in all)
        {
            var again = AddressPlanner.Plan(facts.Settings, all, cluster.ClusterId, cluster.Name, cluster.Prefixes.Select(p => p.Local).ToList());
            Assert.Equal([cluster], again.Changed);
        }
    });

    [Fact]
    public void A_suggested_cidr_is_kept_when_a_cluster_is_built_with_it() => Meshes.Any.Sample(facts =>
    {
        var all = facts.Clusters.Select(c => new ClusterPrefixes(c.Id, c.Name, c.Prefixes)).ToList();
        var suggestion = AddressPlanner.Suggest(facts.Settings, all, AddressFamily.InterNetwork, 16)!;
        var plan = AddressPlanner.Plan(facts.Settings, all, "c-new", "new", [suggestion]);
        Assert.Equal(new MeshPrefix(suggestion, suggestion), Assert.Single(plan.Prefixes));
    });

    [Fact]
    public void Tunnel_addresses_are_free_host_prefixes_of_both_families()
    {
        var first = AddressPlanner.TunnelAddresses(Settings, []);
        var second = AddressPlanner.TunnelAddresses(Settings, first);
        Assert.Equal(["198.19.0.1/32", "fd6d:6700::1/128"], first.Select(a => a.ToString()));
        Assert.Equal(["198.19.0.2/32", "fd6d:6700::2/128"], second.Select(a => a.ToString()));
    }
}
