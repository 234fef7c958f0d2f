using CsCheck;
using MeshFabric.Agent.Facts;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain;
using MeshFabric.Domain.Clusters;
using MeshFabric.Net;
using MeshFabric.Tests.Domain.Planning;

namespace MeshFabric.Tests.Agent.Facts;

public sealed class FactsReplicaTests
{
    static readonly MeshFacts Three = Meshes.Of(("aurora", 1, ["10.10.0.0/16"]), ("borealis", 1, ["10.20.0.0/16"]), ("cirrus", 1, ["10.20.0.0/16"]));

    [Fact]
    public void Without_a_snapshot_every_change_is_a_gap()
    {
        var replica = new FactsReplica(null);
        Assert.Equal(FactsOutcome.Gap, replica.Apply(Change(1, 2, Three.Clusters[0])));
        Assert.Null(replica.Facts);
    }

    [Fact]
    public void A_change_that_begins_above_the_own_revision_is_a_gap_and_changes_nothing()
    {
        var replica = new FactsReplica(Three);
        Assert.Equal(FactsOutcome.Gap, replica.Apply(Change(Three.Revision + 1, Three.Revision + 2, Three.Clusters[0])));
        Assert.Same(Three, replica.Facts);
    }

    [Fact]
    public void A_change_that_is_known_already_is_ignored()
    {
        var replica = new FactsReplica(Three);
        Assert.Equal(FactsOutcome.Ignored, replica.Apply(Change(0, Three.Revision, Three.Clusters[0] with { Name = "other" })));
        Assert.Same(Three, replica.Facts);
    }

    [Fact]
    public void An_older_record_of_a_cluster_does_not_replace_a_newer_one()
    {
        var replica = new FactsReplica(Three);
        var stale = Three.Clusters[2] with { Revision = 0, Prefixes = [] };
        Assert.Equal(FactsOutcome.Applied, replica.Apply(Change(Three.Revision, Three.Revision + 1, stale)));
        Assert.Equal(Three.Clusters[2], replica.Facts!.Clusters.Single(c => c.Id == stale.Id));
    }

    [Fact]
    public void An_older_snapshot_is_ignored_and_a_removed_cluster_is_gone()
    {
        var replica = new FactsReplica(Three);
        Assert.Equal(FactsOutcome.Applied, replica.Apply(new FactsChanged(Three.Revision, Three.Revision + 1, Three.Settings, [], [Three.Clusters[0].Id])));
        Assert.DoesNotContain(replica.Facts!.Clusters, c => c.Id == Three.Clusters[0].Id);
        Assert.Equal(FactsOutcome.Ignored, replica.Apply(new FactsSnapshot(Three)));
        Assert.Equal(2, replica.Facts!.Clusters.Count);
    }

    /// <summary>Whatever is lost, doubled and put out of order on the way: given a snapshot for each gap, the replica ends as the sender's facts.</summary>
    [Fact]
    public void Losses_repeats_and_reordering_end_in_the_senders_facts() =>
        Gen.Select(Gen.Int[1, 12], Gen.Int[0, int.MaxValue]).Sample((changes, seed) =>
        {
            var random = new Random(seed);
            var (truth, history) = History(changes, random);
            var sent = new List<(MeshFacts After, FactsChanged Change)>();
            foreach (var step in history.Where(_ => random.Next(4) != 0))
            {
                sent.Insert(random.Next(sent.Count + 1), step);
                if (random.Next(3) == 0)
                {
                    sent.Add(step);
                }
            }

            var replica = new FactsReplica(null);
            foreach (var (after, change) in sent)
            {
                if (replica.Apply(change) == FactsOutcome.Gap)
                {
                    replica.Apply(new FactsSnapshot(after));
                }
            }

            // The heartbeat tells the sender who is behind.
            if (replica.Revision < truth.Revision)
            {
                replica.Apply(new FactsSnapshot(truth));
            }

            Assert.Equal(truth, replica.Facts);
        }, iter: 2000);

    static (MeshFacts Truth, List<(MeshFacts After, FactsChanged Change)> History) History(int changes, Random random)
    {
        var facts = MeshFacts.Empty;
        var history = new List<(MeshFacts, FactsChanged)>();
        for (var i = 0; i < changes; i++)
        {
            var revision = facts.Revision + 1;
            var id = $"c-{random.Next(4)}";
            var remove = random.Next(4) == 0;
            var cluster = new ClusterFacts(id, id, revision, ClusterKind.Site, new ClusterLocation($"p{random.Next(9)}", "", ""), [], [], []);
            facts = new MeshFacts(revision, facts.Settings, facts.Clusters.Where(c => c.Id != id).Concat(remove ? [] : [cluster]).OrderBy(c => c.Name, StringComparer.Ordinal).ToValueList());
            history.Add((facts, new FactsChanged(revision - 1, revision, facts.Settings, remove ? [] : [cluster], remove ? [id] : [])));
        }

        return (facts, history);
    }

    static FactsChanged Change(long from, long to, ClusterFacts cluster) => new(from, to, MeshSettings.Default, [cluster], []);
}
