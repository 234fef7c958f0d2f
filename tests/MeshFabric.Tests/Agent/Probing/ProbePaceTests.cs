using MeshFabric.Agent.Probing;

namespace MeshFabric.Tests.Agent.Probing;

public sealed class ProbePaceTests
{
    static readonly DateTimeOffset Now = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    [Fact]
    public void Paths_that_carry_traffic_are_probed_ten_times_a_second_and_idle_ones_once()
    {
        Assert.Equal(ProbePace.Quick, ProbePace.Of(isQuick: true, isAlive: true, quick: 2, all: 40));
        Assert.Equal(ProbePace.Idle, ProbePace.Of(isQuick: false, isAlive: true, quick: 2, all: 40));
    }

    [Fact]
    public void A_dead_path_is_asked_four_times_a_second_whatever_it_lost() =>
        Assert.Equal(ProbePace.ComingUp, ProbePace.Of(isQuick: true, isAlive: false, quick: 1, all: 2));

    [Theory]
    [InlineData(1, 1)]
    [InlineData(10, 4000)]
    [InlineData(500, 1000)]
    [InlineData(4000, 4000)]
    public void However_many_paths_there_are_the_rate_is_bounded(int quick, int all)
    {
        var rate = (quick / ProbePace.Of(true, true, quick, all).TotalSeconds) + ((all - quick) / ProbePace.Of(false, true, quick, all).TotalSeconds);
        Assert.InRange(rate, 0, 500.001);
    }

    [Fact]
    public void Probes_alone_do_not_count_as_traffic()
    {
        // An echo request and its answer: 16 + 28 bytes, padded to 48, and 32 of WireGuard's own, both ways.
        const ulong probe = 2 * (48 + 32);
        Assert.False(ProbePace.Carries(10 * probe, 10));
        Assert.True(ProbePace.Carries((10 * probe) + 100_000, 10));
    }

    [Fact]
    public void Each_path_is_due_at_its_own_interval_and_the_pause_ends_with_the_first()
    {
        var schedule = new ProbeSchedule<string>();
        (string, TimeSpan)[] paths = [("quick", ProbePace.Quick), ("idle", ProbePace.Idle)];
        var probes = new Dictionary<string, int> { ["quick"] = 0, ["idle"] = 0 };
        for (var now = Now; now < Now + TimeSpan.FromSeconds(10);)
        {
            var (due, pause) = schedule.Next(paths, now);
            foreach (var path in due)
            {
                probes[path]++;
            }

            Assert.InRange(pause, TimeSpan.FromMilliseconds(1), ProbePace.Quick);
            now += pause;
        }

        Assert.InRange(probes["quick"], 95, 105);
        Assert.InRange(probes["idle"], 9, 11);
    }

    [Fact]
    public void A_path_that_became_quick_is_due_at_once_when_its_last_probe_is_long_ago()
    {
        var schedule = new ProbeSchedule<string>();
        schedule.Next([("a", ProbePace.Idle)], Now);
        Assert.Empty(schedule.Next([("a", ProbePace.Idle)], Now + TimeSpan.FromMilliseconds(500)).Due);
        Assert.Equal(["a"], schedule.Next([("a", ProbePace.Quick)], Now + TimeSpan.FromMilliseconds(500)).Due);
    }

    [Fact]
    public void Without_paths_it_waits_for_a_second() =>
        Assert.Equal(TimeSpan.FromSeconds(1), new ProbeSchedule<string>().Next([], Now).Pause);
}
