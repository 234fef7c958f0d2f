using System.Globalization;
using MeshFabric.Lab.Traffic;
using MeshFabric.TestKit;

namespace MeshFabric.EndToEnd.Tests.Chaos;

/// <summary>Things break in random order, by a seed that is told, and what must hold is asked after each. The last tests show that each of the questions can be answered by no.</summary>
/// <remarks>CHAOS_SEED and CHAOS_STEPS choose another walk: <c>make chaos SEED=7 STEPS=200</c>. A seed that failed becomes one of those that are always asked.</remarks>
[Collection(WholeMachine.Name)]
public sealed class ChaosTests(ChaosMesh mesh, ITestOutputHelper output) : IClassFixture<ChaosMesh>, IAsyncLifetime
{
    const int UsualSteps = 12;
    const int MostAtOnce = 2;

    readonly Faults _faults = new(mesh);
    readonly Invariants _invariants = new(mesh);
    readonly List<Fault> _lasting = [];

    static CancellationToken Cancellation => TestContext.Current.CancellationToken;

    // The tests come in another order wherever they are built: what passed in another one's is not this one's.
    public async ValueTask InitializeAsync() => await _invariants.PassedInClearAsync(Cancellation);

    public ValueTask DisposeAsync() => ValueTask.CompletedTask;

    static int Setting(string name, int usual) => int.TryParse(Environment.GetEnvironmentVariable(name), NumberStyles.None, CultureInfo.InvariantCulture, out var value) ? value : usual;

    public static TheoryData<int> Seeds => Environment.GetEnvironmentVariable("CHAOS_SEED") is { Length: > 0 } ? [Setting("CHAOS_SEED", 1)] : [1];

    [Theory]
    [MemberData(nameof(Seeds))]
    public async Task Whatever_breaks_what_must_hold_holds(int seed)
    {
        var random = new Random(seed);
        var steps = Setting("CHAOS_STEPS", UsualSteps);
        for (var step = 1; step <= steps; step++)
        {
            var what = await StepAsync(random);
            Say($"seed {seed}, step {step} of {steps}: {what}");
            if (await BrokenAsync() is { } broken)
            {
                Assert.Fail($"seed {seed}, step {step}, {what}: {broken}\n(make chaos SEED={seed} STEPS={step})");
            }
        }

        foreach (var fault in _lasting)
        {
            await fault.UndoAsync!(Cancellation);
        }

        _lasting.Clear();
        foreach (var check in new[] { await _invariants.OneFlatNetworkAsync([], Cancellation), await _invariants.AllIsAsWantedAsync(Cancellation), await _invariants.NothingIsLeftOverAsync(Cancellation), await _invariants.SecretsStaySecretAsync(Cancellation) })
        {
            Assert.True(check is null, $"seed {seed}, when all was mended: {check}");
        }
    }

    /// <summary>Something breaks, or what was broken for longest is mended.</summary>
    async Task<string> StepAsync(Random random)
    {
        if (_lasting.Count > 0 && (_lasting.Count == MostAtOnce || random.Next(2) == 0))
        {
            var mended = _lasting[0];
            _lasting.RemoveAt(0);
            await mended.UndoAsync!(Cancellation);
            return $"no longer {mended}";
        }

        var fault = _faults.Pick(random, _lasting);
        _mayStray = fault.TakesRoutes;
        await fault.ApplyAsync(Cancellation);
        if (fault.UndoAsync is not null)
        {
            _lasting.Add(fault);
        }

        return $"{fault}{(_lasting.Count > 1 ? $" (besides {string.Join(", ", _lasting.Where(f => f != fault))})" : "")}";
    }

    bool _mayStray;

    async Task<string?> BrokenAsync()
    {
        var cutOff = _lasting.Where(f => f.CutsPodsOff).Select(f => f.Node!).ToHashSet(StringComparer.Ordinal);
        var broken = await _invariants.OneFlatNetworkAsync(cutOff, Cancellation)
            ?? (cutOff.Overlaps(["a-n3", "b-n3"]) ? null : await _invariants.ConnectionsLastAsync(Cancellation))
            ?? await _invariants.NothingInClearAsync(_mayStray, Cancellation);
        _mayStray = false;
        return broken is null && _lasting.Count == 0 && await _invariants.NothingIsLeftOverAsync(Cancellation) is { } left ? await AgainAsync(left) : broken;
    }

    // A device that was deleted just now may not be there again yet.
    async Task<string?> AgainAsync(string left) => await _invariants.AllIsAsWantedAsync(Cancellation) ?? (await _invariants.NothingIsLeftOverAsync(Cancellation) is null ? null : left);

    void Say(string text)
    {
        output.WriteLine(text);
        TestContext.Current.SendDiagnosticMessage(text);
    }

    [Fact]
    public async Task A_network_that_is_not_flat_is_noticed()
    {
        Assert.Null(await _invariants.OneFlatNetworkAsync([], Cancellation));
        await WhileAsync("a-n3", "nft 'table inet chaos { chain cut { type filter hook forward priority -400; ip daddr 10.20.0.0/16 drop; }; }'", "nft delete table inet chaos", async () =>
            Assert.Contains("a-n3-p1 -> ", await _invariants.OneFlatNetworkAsync([], Cancellation), StringComparison.Ordinal));
        Assert.Null(await _invariants.OneFlatNetworkAsync([], Cancellation));
    }

    [Fact]
    public async Task A_connection_that_is_reset_is_noticed()
    {
        await using var connection = await LastingConnection.OpenAsync(mesh.Pod("a-n3"), mesh.Pod("b-n2"), Cancellation);
        Assert.Null(await connection.BrokenAsync(TimeSpan.FromSeconds(20), Cancellation));
        await WhileAsync("a-n3-p1", "nft 'table inet chaos { chain cut { type filter hook output priority 0; tcp dport 8085 reject with tcp reset; }; }'", "nft delete table inet chaos", async () =>
            Assert.NotNull(await connection.BrokenAsync(TimeSpan.FromSeconds(5), Cancellation)));
    }

    [Fact]
    public async Task Traffic_in_clear_is_noticed()
    {
        // The host's own routes, and nobody who hides the pods or steers them.
        await mesh.Mesh.SignalAsync("a-n3", "STOP", Cancellation);
        await WhileAsync("a-n3", "ip rule add to 10.20.0.0/16 lookup main priority 50; iptables-nft -t nat -I POSTROUTING -j ACCEPT", "ip rule del priority 50; iptables-nft -t nat -D POSTROUTING -j ACCEPT", async () =>
        {
            for (var i = 0; i < 3; i++)
            {
                await PodClient.SeenAsAsync(mesh.Pod("a-n3"), mesh.Pod("b-n3").Address!, TimeSpan.FromSeconds(1), Cancellation);
            }
        });
        await mesh.Mesh.SignalAsync("a-n3", "CONT", Cancellation);
        Assert.Contains("in clear", await _invariants.NothingInClearAsync(strays: false, Cancellation), StringComparison.Ordinal);
        Assert.Null(await _invariants.OneFlatNetworkAsync([], Cancellation));
    }

    [Fact]
    public async Task A_device_that_is_left_over_is_noticed()
    {
        Assert.Null(await _invariants.NothingIsLeftOverAsync(Cancellation));
        await mesh.Mesh.SignalAsync("a-n1", "STOP", Cancellation);
        await WhileAsync("a-n1", "ip link add mf7 type bridge", "ip link del mf7", async () => Assert.Contains("mf7", await _invariants.NothingIsLeftOverAsync(Cancellation), StringComparison.Ordinal));
        await mesh.Mesh.SignalAsync("a-n1", "CONT", Cancellation);
    }

    [Fact]
    public async Task A_gateway_that_is_not_as_it_is_wanted_is_noticed_and_mended()
    {
        Assert.Null(await _invariants.AllIsAsWantedAsync(Cancellation));
        await mesh.Mesh.SignalGatewayAsync("b-n2", "STOP", Cancellation);
        try
        {
            await Until.TrueAsync(async () => await _invariants.NotAsWantedAsync(Cancellation) is not null, TimeSpan.FromSeconds(60), "it to be noticed", Cancellation);
        }
        finally
        {
            await mesh.Mesh.SignalGatewayAsync("b-n2", "CONT", Cancellation);
        }

        Assert.Null(await _invariants.AllIsAsWantedAsync(Cancellation));
    }

    [Fact]
    public async Task A_key_in_a_log_is_noticed()
    {
        Assert.Null(await _invariants.SecretsStaySecretAsync(Cancellation));
        var log = Path.Combine(mesh.Lab.Directory, "leak.log");
        await File.WriteAllTextAsync(log, $"the key is {await mesh.Lab.ShellAsync("a-n1", "cat /var/lib/meshfabric/gateway/device.key", Cancellation)}", Cancellation);
        Assert.Contains("leak.log", await _invariants.SecretsStaySecretAsync(Cancellation), StringComparison.Ordinal);
        File.Delete(log);
    }

    async Task WhileAsync(string node, string harm, string undo, Func<Task> check)
    {
        await mesh.Lab.ShellAsync(node, harm, Cancellation);
        try
        {
            await check();
        }
        finally
        {
            await mesh.Lab.ShellAsync(node, undo, Cancellation);
        }
    }
}
