using CsCheck;
using MeshFabric.Agent.Tunnels;

namespace MeshFabric.Tests.Agent.Tunnels;

public sealed class MtuSearchTests
{
    readonly MtuSearch _search = new();
    DateTimeOffset _now = DateTimeOffset.UnixEpoch;

    [Fact]
    public void Where_the_usual_size_passes_it_is_looked_at_every_five_seconds_and_nothing_else()
    {
        Assert.Equal([MtuSearch.Usual], Run(1500, 1420, TimeSpan.FromSeconds(4)));
        Assert.Equal(12, Run(1500, 1420, TimeSpan.FromSeconds(60)).Count);
        Assert.Equal(MtuSearch.Usual, _search.Mtu);
    }

    [Theory]
    [InlineData(1412)]
    [InlineData(1400)]
    [InlineData(1372)]
    [InlineData(1299)]
    [InlineData(1200)]
    public void What_is_thrown_away_without_a_word_is_found_within_seconds_and_what_is_left_passes(int path)
    {
        Run(1420, 1420, TimeSpan.FromSeconds(20));
        Run(path, 1420, TimeSpan.FromSeconds(16));
        Assert.InRange(_search.Mtu, path - 40, path);
    }

    [Fact]
    public void Jumbo_frames_are_used_once_they_were_seen_to_pass()
    {
        _search.Due(8920, _now);
        Assert.Equal(MtuSearch.Usual, _search.Mtu);
        Run(8920, 8920, TimeSpan.FromSeconds(5));
        Assert.Equal(8920, _search.Mtu);
    }

    [Fact]
    public void Where_the_middle_has_no_jumbo_frames_nothing_in_use_is_lost_by_finding_out()
    {
        var sizes = Run(1420, 8920, MtuSearch.Again / 2);
        Assert.Equal(MtuSearch.Usual, _search.Mtu);
        Assert.Equal(MtuSearch.LostMeansNo, sizes.Count(s => s > MtuSearch.Usual));
    }

    [Fact]
    public void A_way_that_grows_is_noticed_within_half_a_minute_and_one_that_the_kernel_knows_more_of_at_once()
    {
        Run(1300, 1420, TimeSpan.FromSeconds(20));
        Assert.Equal(1300, _search.Mtu);
        Run(1420, 1420, TimeSpan.FromSeconds(30));
        Assert.Equal(1420, _search.Mtu);

        Run(1420, 1380, TimeSpan.FromSeconds(2));
        Assert.Equal(1380, _search.Mtu);
        Run(1420, 1420, TimeSpan.FromSeconds(2));
        Assert.Equal(1420, _search.Mtu);
    }

    [Fact]
    public void A_way_that_carries_nothing_says_nothing_about_sizes()
    {
        for (var i = 0; i < 100; i++)
        {
            if (_search.Due(1420, _now += MtuSearch.Look) is { } size)
            {
                _search.Lost(size, isAlive: false, _now);
            }
        }

        Assert.Equal(MtuSearch.Usual, _search.Mtu);
    }

    [Fact]
    public void Two_lost_of_a_hundred_change_nothing()
    {
        var random = new Random(1);
        for (var i = 0; i < 20_000; i++)
        {
            if (_search.Due(1420, _now += MtuSearch.Try) is { } size)
            {
                if (random.NextDouble() < 0.02)
                {
                    _search.Lost(size, isAlive: true, _now);
                }
                else
                {
                    _search.Passed(size, _now);
                }
            }
        }

        Assert.Equal(MtuSearch.Usual, _search.Mtu);
    }

    [Fact]
    public void Whatever_the_way_takes_what_is_in_force_passes_in_the_end() =>
        Gen.Select(Gen.Int[MtuSearch.Smallest, 9000], Gen.Int[MtuSearch.Smallest, MtuSearch.Largest]).Array[1, 6].Sample(ways =>
        {
            var (search, now) = (new MtuSearch(), DateTimeOffset.UnixEpoch);
            foreach (var (path, bound) in ways)
            {
                Run(search, ref now, path, bound, TimeSpan.FromSeconds(20));
                Assert.InRange(search.Mtu, MtuSearch.Smallest, Math.Min(path, bound));
            }
        });

    List<int> Run(int path, int bound, TimeSpan duration) => Run(_search, ref _now, path, bound, duration);

    /// <summary>A way that takes packets of so many bytes, for so long.</summary>
    /// <returns>What was sent.</returns>
    static List<int> Run(MtuSearch search, ref DateTimeOffset now, int path, int bound, TimeSpan duration)
    {
        var sent = new List<int>();
        for (var end = now + duration; now < end; now += TimeSpan.FromMilliseconds(100))
        {
            if (search.Due(bound, now) is not { } size)
            {
                continue;
            }

            sent.Add(size);
            if (size <= path)
            {
                search.Passed(size, now);
            }
            else
            {
                search.Lost(size, isAlive: true, now);
            }
        }

        return sent;
    }
}
