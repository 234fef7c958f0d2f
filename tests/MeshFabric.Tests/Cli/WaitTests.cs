namespace MeshFabric.Tests.Cli;

/// <summary>Waiting, and what is told when it ends too soon.</summary>
public sealed class WaitTests
{
    [Fact]
    public async Task Status_waits_until_the_mesh_is_ready_even_when_the_server_is_away_for_a_moment()
    {
        await using var mesh = await FakeMesh.StartAsync();
        var asked = 0;
        mesh.On("GET mesh", _ => ++asked switch
        {
            2 => new FakeMesh.Answer(503, null),
            < 4 => new FakeMesh.Answer(200, Canned.Mesh()),
            _ => new FakeMesh.Answer(200, Canned.Mesh("ready")),
        });
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("status --wait --timeout 30s -o json");

        Assert.Equal(0, ran.Code);
        Assert.Equal(4, asked);
        Assert.Contains("\"state\": \"ready\"", ran.Out, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Status_that_waits_in_vain_is_6_with_the_unmet_conditions()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var waited = await mfctl.LineAsync("status --wait --timeout 300ms");
        mfctl.Variables["MESHFABRIC_TIMEOUT"] = "0s300ms";
        var byVariable = await mfctl.LineAsync("status --wait");
        var looked = await mfctl.LineAsync("status");

        Assert.Equal((6, 6, 0), (waited.Code, byVariable.Code, looked.Code));
        Assert.Contains("  Cluster cirrus has no gateway yet.\n", waited.Error, StringComparison.Ordinal);
        Assert.Contains("not ready after 0.3s: progressing", waited.Error, StringComparison.Ordinal);
        Assert.Equal(looked.Out, waited.Out);
    }

    [Fact]
    public async Task A_probe_that_nobody_answers_is_6_and_names_who_did_not()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.On("POST probes", Canned.Probe("running", answered: false));
        mesh.On("GET probes/p-1", Canned.Probe("running", answered: false));
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("ping aurora borealis --timeout 300ms");

        Assert.Equal(6, ran.Code);
        Assert.Contains("no answer yet from aurora/gw1, borealis/gw1", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_ping_without_an_answer_is_1()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.On("POST probes", Canned.Probe("running", answered: false));
        mesh.On("GET probes/p-1", Canned.Probe(received: 0));
        using var mfctl = new Mfctl(mesh);

        var lost = await mfctl.LineAsync("ping aurora borealis");
        mesh.On("POST probes", Canned.Probe("failed", answered: false));
        var silent = await mfctl.LineAsync("ping aurora borealis");

        Assert.Equal((1, 1), (lost.Code, silent.Code));
        Assert.Contains("0/4       no answer", lost.Out, StringComparison.Ordinal);
        Assert.Contains("the agent of aurora/gw1 did not answer in time", silent.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_gateway_that_differs_from_its_plan_is_1_with_each_difference()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.On("GET gateways/aurora/gw1/explanation", Canned.Explanation("aurora", "borealis", Canned.BorealisPrefix.Mesh, "Route 10.20.0.0/16 is missing."));
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("explain aurora/gw1");

        Assert.Equal(1, ran.Code);
        Assert.Contains("missing", ran.Out, StringComparison.Ordinal);
        Assert.Contains("  Route 10.20.0.0/16 is missing.\n", ran.Error, StringComparison.Ordinal);
        Assert.Equal(2, (await mfctl.LineAsync("explain aurora")).Code);
    }

    [Fact]
    public async Task A_standing_token_is_asked_for_by_name_and_said_to_be_one()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.On("POST join-tokens", Canned.StandingToken with { Status = Canned.StandingToken.Status with { Token = "mfj1_canned" } });
        mesh.OnList("GET join-tokens", Canned.StandingToken);
        using var mfctl = new Mfctl(mesh);

        var made = await mfctl.LineAsync("token create --cluster aurora --standing");
        var listed = await mfctl.LineAsync("token list --no-headers");

        Assert.Equal("""{"cluster":"aurora","expiresInSeconds":null,"maxUses":null,"description":null,"standing":true}""", mesh.Bodies.Single());
        Assert.Equal("mfj1_canned\n", made.Out);
        Assert.Contains("join token j-7s4d admits gateways to aurora until it is revoked: mfctl token revoke j-7s4d", made.Error, StringComparison.Ordinal);
        Assert.Equal("j-7s4d  active  aurora  3  never\n", listed.Out);
    }

    [Fact]
    public async Task Secrets_are_printed_once_to_stdout_and_alone()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);

        var join = await mfctl.LineAsync("token create --cluster aurora --expires 1h --max-uses 2");
        var api = await mfctl.LineAsync("api-token create ci --role operator --expires 90d");
        var command = await mfctl.LineAsync("token create --cluster aurora --print-join-command gw2");

        Assert.Equal(("mfj1_canned\n", "mfa_t77_canned\n"), (join.Out, api.Out));
        Assert.DoesNotContain("mfj1_", join.Error, StringComparison.Ordinal);
        Assert.DoesNotContain("mfa_", api.Error, StringComparison.Ordinal);
        Assert.Equal("""{"cluster":"aurora","expiresInSeconds":3600,"maxUses":2,"description":null}""", mesh.Bodies.First());
        Assert.Contains("\"expiresInSeconds\":7776000", mesh.Bodies.ElementAt(1), StringComparison.Ordinal);
        Assert.StartsWith("echo mfj1_canned | meshfabric-agent join --token-file - --cluster aurora --gateway gw2 ", command.Out, StringComparison.Ordinal);
        Assert.Equal(0, (await mfctl.LineAsync("token revoke j-5n2x")).Code);
        Assert.Equal(0, (await mfctl.LineAsync("api-token revoke ci")).Code);
        Assert.Equal(3, (await mfctl.LineAsync("api-token revoke nobody")).Code);
    }
}
