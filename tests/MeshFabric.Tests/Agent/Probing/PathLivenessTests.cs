using MeshFabric.Agent.Probing;

namespace MeshFabric.Tests.Agent.Probing;

public sealed class PathLivenessTests
{
    readonly PathLiveness _path = new();

    [Fact]
    public void Before_the_first_answer_it_is_not_alive_but_may_be()
    {
        Assert.False(_path.IsAlive);
        Lose(PathLiveness.DeadAfter - 1);
        Assert.True(_path.MayBeAlive);
        Lose(1);
        Assert.False(_path.MayBeAlive);
    }

    [Fact]
    public void What_was_lost_while_it_came_up_is_no_loss()
    {
        Lose(2);
        Answer(2);
        // Sent before the first answer, and given up after it.
        _path.Lost(sentBeforeFirstAnswer: true);
        Assert.Equal(0, _path.LossRatio);
        Lose(1);
        Assert.Equal(0.5, _path.LossRatio);
    }

    [Fact]
    public void Loss_is_of_the_last_twenty_probes()
    {
        for (var i = 0; i < 30; i++)
        {
            Answer(1);
        }

        Lose(1);
        Assert.Equal(0.05, _path.LossRatio);
    }

    [Fact]
    public void An_answer_between_lost_probes_keeps_it_alive_however_many_are_lost()
    {
        Answer(1);
        for (var i = 0; i < 100; i++)
        {
            Lose(PathLiveness.DeadAfter - 1);
            Answer(1);
            Assert.True(_path.IsAlive);
        }
    }

    [Fact]
    public void Every_fiftieth_probe_lost_at_random_does_not_kill_it_within_ten_minutes_of_quick_probes()
    {
        var random = new Random(7);
        Answer(1);
        for (var i = 0; i < 6000; i++)
        {
            if (random.NextDouble() < 0.02)
            {
                Lose(1);
            }
            else
            {
                Answer(1);
            }

            Assert.True(_path.IsAlive);
        }
    }

    [Fact]
    public void A_dead_path_that_answers_now_and_then_stays_dead()
    {
        Answer(1);
        Lose(PathLiveness.DeadAfter);
        for (var i = 0; i < 100; i++)
        {
            Answer(1);
            Answer(1);
            Lose(1);
            Assert.False(_path.IsAlive);
        }
    }

    [Theory]
    [InlineData(1, 150)]
    [InlineData(150, 450)]
    [InlineData(600, 1000)]
    public void The_limit_follows_the_round_trip_within_bounds(int roundTrip, int atMost)
    {
        Assert.Equal(PathLiveness.LongestLimit, _path.Limit);
        for (var i = 0; i < 10; i++)
        {
            Answer(roundTrip);
        }

        Assert.InRange(_path.Limit, TimeSpan.FromMilliseconds(Math.Min(Math.Max(roundTrip, 150), 1000)), TimeSpan.FromMilliseconds(atMost));
    }

    [Fact]
    public void Jitter_is_nothing_while_round_trips_are_equal_and_grows_when_they_are_not()
    {
        Answer(10);
        Assert.Null(_path.Jitter);
        Answer(10);
        Assert.Equal(TimeSpan.Zero, _path.Jitter);
        Answer(26);
        Assert.Equal(TimeSpan.FromMilliseconds(1), _path.Jitter);
    }

    void Answer(int milliseconds) => _path.Answered(TimeSpan.FromMilliseconds(milliseconds));

    void Lose(int probes)
    {
        for (var i = 0; i < probes; i++)
        {
            _path.Lost();
        }
    }
}
