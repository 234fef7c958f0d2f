using MeshFabric.Agent.Paths;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;

namespace MeshFabric.Tests.Agent.Paths;

public sealed class CandidateListTests
{
    static readonly DateTimeOffset Start = DateTimeOffset.UnixEpoch;
    static readonly UdpEndpoint Direct = UdpEndpoint.Parse("203.0.113.7:1000"), Other = UdpEndpoint.Parse("203.0.113.8:1000"), Near = UdpEndpoint.Parse("198.51.100.1:51828"), Far = UdpEndpoint.Parse("198.51.100.2:51828");

    readonly CandidateList _ways = new();
    DateTimeOffset _now = Start;

    public CandidateListTests() => _ways.Want([new(CandidateKind.Observed, Direct), new(CandidateKind.Relay, Near, "hub/gw1"), new(CandidateKind.Relay, Far, "hub/gw2")], Start);

    [Fact]
    public void All_are_asked_at_once_and_four_times_a_second_while_nothing_works_and_more_seldom_when_that_lasts()
    {
        Assert.Equal([Direct, Near, Far], _ways.Due(_now));
        Assert.Empty(_ways.Due(_now));
        Assert.Equal(_now + CandidateList.Hunting, _ways.Next(_now));
        Assert.Equal(3, Due(CandidateList.Hunting).Count);

        Due(TimeSpan.FromSeconds(40));
        Assert.Equal(_now + CandidateList.Searching, _ways.Next(_now));
    }

    [Fact]
    public void The_quickest_relay_carries_until_a_direct_way_is_found_however_slow()
    {
        Assert.Null(_ways.Best());
        Answer(Far, 40);
        Assert.Equal(Far, _ways.Best()!.Endpoint);
        Answer(Near, 10);
        Assert.Equal(Near, _ways.Best()!.Endpoint);
        Answer(Direct, 90);
        Assert.Equal(Direct, _ways.Best()!.Endpoint);
    }

    [Fact]
    public void A_way_in_use_is_left_for_one_of_its_sort_only_when_that_is_much_better()
    {
        Answer(Near, 10);
        _ways.Observe(Near, true, _now);
        Answer(Far, 9);
        Assert.Equal(Near, _ways.Best()!.Endpoint);
        _ways.Want([new(CandidateKind.Observed, Direct), new(CandidateKind.Relay, Near, "hub/gw1"), new(CandidateKind.Relay, Far, "hub/gw2"), new(CandidateKind.Relay, Other, "hub/gw3")], _now);
        Answer(Other, 5);
        Assert.Equal(Other, _ways.Best()!.Endpoint);
    }

    [Fact]
    public void Two_ways_that_are_equally_good_are_not_changed_between_although_the_device_is_seen_at_the_one_before()
    {
        Answer(Near, 10);
        Answer(Far, 10);
        var chosen = _ways.Choose(initiates: true)!.Endpoint;
        _ways.Observe(chosen == Near ? Far : Near, false, _now);
        Assert.Equal(chosen, _ways.Choose(initiates: true)!.Endpoint);
        _ways.Observe(chosen, false, _now);
        Assert.Equal(chosen, _ways.Choose(initiates: true)!.Endpoint);
    }

    [Fact]
    public void When_the_tunnel_goes_down_a_way_in_reserve_takes_over_at_once_and_the_old_one_must_answer_again()
    {
        Answer(Near, 10);
        Answer(Far, 40);
        _ways.Observe(Near, true, _now);
        _now += TimeSpan.FromSeconds(1);
        _ways.Observe(Near, false, _now);
        Assert.Equal(Far, _ways.Best()!.Endpoint);
        Assert.Equal(3, Due(CandidateList.Hunting).Count);

        _now += TimeSpan.FromMilliseconds(10);
        Answer(Near, 10);
        Assert.Equal(Near, _ways.Best()!.Endpoint);
    }

    [Fact]
    public void Three_unanswered_asks_in_a_row_end_a_way_unless_the_tunnel_itself_says_that_it_works()
    {
        Answer(Direct, 10);
        Answer(Near, 10);
        for (var i = 0; i <= CandidateList.DeadAfter; i++)
        {
            Due(CandidateList.Hunting);
        }

        Assert.Null(_ways.Best());
        _ways.Observe(Direct, true, _now);
        Assert.Equal(Direct, _ways.Best()!.Endpoint);
    }

    [Fact]
    public void Where_the_far_side_asks_from_is_a_way_as_well_and_is_forgotten_when_it_is_silent()
    {
        _ways.Heard(Other, _now);
        Assert.Contains(Other, _ways.Due(_now));
        Answer(Other, 10);
        Assert.Equal(CandidateKind.Learned, _ways.Best()!.Kind);

        _now += TimeSpan.FromSeconds(61);
        _ways.Want([new(CandidateKind.Observed, Direct)], _now);
        Assert.DoesNotContain(Other, _ways.Due(_now));
    }

    [Fact]
    public void A_flood_of_asks_from_everywhere_does_not_make_a_flood_of_ours()
    {
        for (var i = 0; i < 1000; i++)
        {
            _ways.Heard(UdpEndpoint.Parse($"203.0.113.9:{2000 + i}"), _now);
        }

        Assert.InRange(_ways.Due(_now).Count, 3, 7);
    }

    [Fact]
    public void A_way_that_was_only_heard_of_is_asked_eight_times_and_no_more()
    {
        _ways.Heard(Other, _now);
        var asked = 0;
        for (var i = 0; i < 200; i++)
        {
            asked += Due(CandidateList.Hunting).Count(e => e == Other);
        }

        Assert.InRange(asked, 8, 9);
    }

    [Fact]
    public void With_a_direct_way_in_use_the_reserve_is_still_asked_every_few_seconds()
    {
        Answer(Direct, 10);
        _ways.Observe(Direct, true, _now);
        _ways.Due(_now);
        Assert.Equal(_now + CandidateList.Keeping, _ways.Next(_now));
        Assert.Equal(3, Due(CandidateList.Keeping).Count);
    }

    [Fact]
    public void By_a_relay_a_better_way_is_looked_for_every_second_at_first()
    {
        Answer(Near, 10);
        _ways.Due(_now);
        _ways.Observe(Near, true, _now);
        Assert.Equal([Direct], Due(CandidateList.Searching));
    }

    [Fact]
    public void The_side_that_follows_chooses_nothing_but_to_leave_a_relay_for_a_direct_way()
    {
        Answer(Near, 10);
        Answer(Direct, 90);
        Assert.Equal(Direct, _ways.Choose(initiates: true)!.Endpoint);
        Assert.Null(_ways.Choose(initiates: false));
        _ways.Observe(Near, true, _now);
        _now += TimeSpan.FromMilliseconds(10);
        Answer(Direct, 90);
        Assert.Equal(Direct, _ways.Choose(initiates: false)!.Endpoint);
        _ways.Observe(Other, true, _now);
        Assert.Null(_ways.Choose(initiates: false));
    }

    [Fact]
    public void The_side_that_follows_does_not_draw_the_other_one_back_to_a_way_that_it_just_left()
    {
        // Direct loses in the far side's direction: its packets do not come, and ours arrive and draw it back.
        Answer(Direct, 10);
        Answer(Near, 20);
        _ways.Observe(Direct, true, _now);
        _now += TimeSpan.FromSeconds(1);
        _ways.Observe(Near, true, _now);
        Assert.Null(_ways.Choose(initiates: false));
        // Asked at once, and only what it says now counts.
        Assert.Contains(Direct, _ways.Due(_now));
        _now += TimeSpan.FromMilliseconds(10);
        _ways.Answered(Direct, TimeSpan.FromMilliseconds(10), _now);
        Assert.Equal(Direct, _ways.Choose(initiates: false)!.Endpoint);
    }

    [Fact]
    public void A_way_that_the_tunnel_went_down_by_is_not_taken_again_before_it_has_answered_again_wherever_the_device_was_drawn_to()
    {
        Answer(Direct, 10);
        Answer(Near, 20);
        _ways.Observe(Direct, true, _now);
        _now += TimeSpan.FromSeconds(1);
        _ways.Observe(Direct, false, _now);
        Assert.Equal(Near, _ways.Choose(initiates: true)!.Endpoint);
        _ways.Observe(Near, true, _now += TimeSpan.FromMilliseconds(100));
        Assert.Equal(Near, _ways.Choose(initiates: true)!.Endpoint);
        _ways.Observe(Direct, false, _now += TimeSpan.FromMilliseconds(100));
        Assert.Null(_ways.Choose(initiates: true));
        _ways.Due(_now += CandidateList.Hunting);
        _ways.Answered(Near, TimeSpan.FromMilliseconds(20), _now + TimeSpan.FromMilliseconds(20));
        Assert.Equal(Near, _ways.Choose(initiates: true)!.Endpoint);
    }

    [Fact]
    public void A_way_in_reserve_that_does_not_answer_either_is_left_for_the_next_within_a_second()
    {
        Answer(Direct, 10);
        Answer(Near, 20);
        Answer(Far, 40);
        _ways.Observe(Direct, true, _now);
        _ways.Observe(Direct, false, _now += TimeSpan.FromSeconds(1));
        Assert.Equal(Near, _ways.Choose(initiates: true)!.Endpoint);
        for (var i = 0; i < 4; i++)
        {
            _ways.Observe(Near, false, _now);
            _ways.Due(_now += CandidateList.Hunting);
            _ways.Answered(Far, TimeSpan.FromMilliseconds(40), _now);
        }

        Assert.Equal(Far, _ways.Choose(initiates: true)!.Endpoint);
    }

    IReadOnlyList<UdpEndpoint> Due(TimeSpan after) => _ways.Due(_now += after);

    void Answer(UdpEndpoint from, int milliseconds)
    {
        _ways.Due(_now);
        _ways.Answered(from, TimeSpan.FromMilliseconds(milliseconds), _now);
    }
}
