using System.Runtime.Versioning;
using MeshFabric.Cli;

namespace MeshFabric.Tests.Cli;

/// <summary>Questions are for terminals; everywhere else the option to add is named.</summary>
public sealed class PromptTests
{
    [Theory]
    [InlineData("cluster remove aurora", "aurora", "DELETE clusters/aurora")]
    [InlineData("cluster leave aurora", "aurora", "DELETE clusters/aurora")]
    [InlineData("gateway remove aurora/gw1", "aurora/gw1", "DELETE gateways/aurora/gw1")]
    public async Task What_cuts_off_asks_for_the_name_on_a_terminal_and_for_yes_elsewhere(string line, string name, string request)
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh) { Input = name + "\n" };

        var piped = await mfctl.LineAsync(line);
        Assert.Equal(2, piped.Code);
        Assert.Contains("standard input is no terminal: add --yes", piped.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(request, mesh.Requests);

        mfctl.InputIsTerminal = true;
        mfctl.Input = "something else\n";
        var refused = await mfctl.LineAsync(line);
        Assert.Equal(1, refused.Code);
        Assert.Contains("not confirmed, nothing was changed", refused.Error, StringComparison.Ordinal);
        Assert.DoesNotContain(request, mesh.Requests);

        mfctl.Input = name + "\n";
        var done = await mfctl.LineAsync(line);
        Assert.Equal(0, done.Code);
        Assert.Contains($"Type {name} to go on: ", done.Error, StringComparison.Ordinal);
        Assert.Contains(request, mesh.Requests);
    }

    [Fact]
    [SupportedOSPlatform("linux")]
    public async Task Login_keeps_a_token_that_the_server_knows_in_a_file_that_only_its_owner_reads()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(null);
        var (authority, token) = (mfctl.Write("ca.crt", FakeMesh.Authority), mfctl.Write("token", FakeMesh.Token + "\n"));

        var login = await mfctl.RunAsync("login", mesh.Url.ToString(), "--token-file", token, "--ca-file", authority, "--name", "demo");
        Assert.True(login.Code == 0, $"{login}");
        Assert.Contains("as admin (admin), context demo", login.Error, StringComparison.Ordinal);
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(mfctl.Config));
        Assert.Equal(0, (await mfctl.LineAsync("cluster list")).Code);

        Assert.Equal(0, (await mfctl.LineAsync("logout")).Code);
        Assert.DoesNotContain(FakeMesh.Token, await File.ReadAllTextAsync(mfctl.Config), StringComparison.Ordinal);
        var after = await mfctl.LineAsync("cluster list");
        Assert.Equal(4, after.Code);
        Assert.Contains("logged out of", after.Error, StringComparison.Ordinal);
        Assert.Contains("--name demo", after.Error, StringComparison.Ordinal);

        // The CA is known by now, and the token may come through standard input.
        mfctl.Input = FakeMesh.Token;
        Assert.Equal(0, (await mfctl.RunAsync("login", mesh.Url.ToString(), "--token-file", "-", "--name", "demo")).Code);
    }

    [Fact]
    public async Task Login_with_a_token_that_the_server_refuses_keeps_nothing()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(null);

        var ran = await mfctl.RunAsync("login", mesh.Url.ToString(), "--token-file", mfctl.Write("token", "mfa_x_forged"), "--ca-file", mfctl.Write("ca.crt", FakeMesh.Authority));

        Assert.Equal(4, ran.Code);
        Assert.False(File.Exists(mfctl.Config));
        Assert.DoesNotContain("forged", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Login_asks_for_the_token_on_a_terminal_only()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(null) { Input = FakeMesh.Token + "\n" };
        var authority = mfctl.Write("ca.crt", FakeMesh.Authority);

        var piped = await mfctl.RunAsync("login", mesh.Url.ToString(), "--ca-file", authority);
        Assert.Equal(2, piped.Code);
        Assert.Contains("standard input is no terminal: add --token-file FILE", piped.Error, StringComparison.Ordinal);
        mfctl.InputIsTerminal = true;
        Assert.Equal(0, (await mfctl.RunAsync("login", mesh.Url.ToString(), "--ca-file", authority)).Code);
    }

    [Theory]
    [InlineData("login http://mesh.example.org --token-file x --ca-file y")]
    [InlineData("login mesh.example.org:8443 --token-file CONFIG --ca-file CONFIG")]
    [InlineData("login https://mesh.example.org:8443 --token-file /nowhere --ca-file CONFIG")]
    [InlineData("login https://mesh.example.org:8443 --token-file CONFIG --ca-file CONFIG")]
    [InlineData("login https://mesh.example.org:8443 --token-file CONFIG")]
    [InlineData("login --token-file CONFIG --ca-file CONFIG")]
    public async Task A_login_that_cannot_be_is_a_usage_error(string line)
    {
        using var mfctl = new Mfctl(null);
        var text = mfctl.Write("text", "no certificate");

        var ran = await mfctl.LineAsync(line.Replace("CONFIG", text, StringComparison.Ordinal));

        Assert.Equal(2, ran.Code);
    }

    [Fact]
    public async Task Contexts_are_set_used_and_deleted_without_asking_a_server()
    {
        using var mfctl = new Mfctl(null);
        var authority = mfctl.Write("ca.crt", FakeMesh.Authority);

        Assert.Equal(2, (await mfctl.LineAsync("context set one")).Code);
        Assert.Equal(2, (await mfctl.LineAsync("context set one --server https://one.example.org:8443")).Code);
        Assert.Equal(0, (await mfctl.RunAsync("context", "set", "one", "--server", "https://one.example.org:8443/", "--ca-file", authority)).Code);
        Assert.Equal(0, (await mfctl.RunAsync("context", "set", "two", "--server", "https://two.example.org:8443", "--ca-file", authority)).Code);
        Assert.Equal("CURRENT  NAME  SERVER\n*        one   https://one.example.org:8443\n-        two   https://two.example.org:8443\n", (await mfctl.LineAsync("context list")).Out);
        Assert.Equal(0, (await mfctl.LineAsync("context use two")).Code);
        Assert.Equal(3, (await mfctl.LineAsync("context use three")).Code);
        Assert.Equal(0, (await mfctl.LineAsync("context delete two")).Code);
        Assert.Equal(3, (await mfctl.LineAsync("context delete two")).Code);
        Assert.Equal("context/one\n", (await mfctl.LineAsync("context list -o name")).Out);
        Assert.True(File.Exists(mfctl.Config));
        Assert.Equal(0, (await mfctl.LineAsync("context delete one")).Code);
        Assert.False(File.Exists(mfctl.Config));
        Assert.Equal("CURRENT  NAME  SERVER\n", (await mfctl.LineAsync("context list")).Out);
    }

    [Fact]
    public async Task A_damaged_config_is_named_and_not_overwritten()
    {
        using var mfctl = new Mfctl(null);
        await File.WriteAllTextAsync(mfctl.Config, "{ not json");

        var ran = await mfctl.LineAsync("context list");

        Assert.Equal(1, ran.Code);
        Assert.Contains($"{mfctl.Config} is damaged", ran.Error, StringComparison.Ordinal);
        Assert.Equal("{ not json", await File.ReadAllTextAsync(mfctl.Config));
    }

    [Fact]
    public void The_config_is_in_the_XDG_folder()
    {
        var variables = new Dictionary<string, string> { ["HOME"] = "/home/kim" };
        var shell = Shell.OfProcess() with { Variable = name => variables.GetValueOrDefault(name) };

        Assert.Equal("/home/kim/.config/meshfabric/config.json", Contexts.FilePath(shell));
        variables["XDG_CONFIG_HOME"] = "/xdg";
        Assert.Equal("/xdg/meshfabric/config.json", Contexts.FilePath(shell));
        variables["MESHFABRIC_CONFIG"] = "/own.json";
        Assert.Equal("/own.json", Contexts.FilePath(shell));
    }
}
