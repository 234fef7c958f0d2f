using System.Net;
using System.Net.Sockets;
using MeshFabric.Cli;

namespace MeshFabric.Tests.Cli;

public sealed class ExitCodeTests
{
    [Theory]
    [InlineData(400, 2)]
    [InlineData(401, 4)]
    [InlineData(403, 4)]
    [InlineData(404, 3)]
    [InlineData(405, 1)]
    [InlineData(409, 5)]
    [InlineData(412, 5)]
    [InlineData(413, 2)]
    [InlineData(422, 2)]
    [InlineData(428, 5)]
    [InlineData(429, 1)]
    [InlineData(500, 1)]
    [InlineData(502, 7)]
    [InlineData(503, 7)]
    [InlineData(504, 7)]
    public async Task Each_refusal_has_its_exit_code_and_tells_what_where_and_by_which_request(int status, int code)
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.OnProblem("GET clusters", status, "some-code", "It cannot be done because of the moon.");
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("cluster list");

        Assert.Equal((code, ""), (ran.Code, ran.Out));
        Assert.Contains("mfctl: It cannot be done because of the moon.", ran.Error, StringComparison.Ordinal);
        Assert.Contains($"at: mesh.test:8443/tcp, status {status}, some-code, request req-1", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Fields_that_are_refused_are_named()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.OnProblem("POST address-plans", 422, "invalid", "…", new Dictionary<string, IReadOnlyList<string>> { ["/podCidrs/0"] = ["'10.0.0.1/8' has host bits"] });
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("ipam plan --pod-cidr 10.0.0.1/8");

        Assert.Equal(2, ran.Code);
        Assert.Contains("  /podCidrs/0: '10.0.0.1/8' has host bits", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task An_answer_that_is_none_of_a_control_service_is_told_as_such()
    {
        await using var mesh = await FakeMesh.StartAsync();
        mesh.On("GET clusters", _ => new FakeMesh.Answer(502, "<html>Bad gateway</html>"));
        mesh.On("GET gateways", _ => new FakeMesh.Answer(200, "<html>Welcome</html>"));
        using var mfctl = new Mfctl(mesh);

        var proxy = await mfctl.LineAsync("cluster list");
        var welcome = await mfctl.LineAsync("gateway list");

        Assert.Equal(7, proxy.Code);
        Assert.Contains("not as a MeshFabric control service does", proxy.Error, StringComparison.Ordinal);
        Assert.Equal(1, welcome.Code);
        Assert.Contains("none of a MeshFabric control service", welcome.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_is_not_there_is_7_with_its_address_and_port()
    {
        using var mfctl = new Mfctl(null);
        var port = FreePort();
        var (authority, token) = (mfctl.Write("ca.crt", FakeMesh.Authority), mfctl.Write("token", FakeMesh.Token));

        var ran = await mfctl.RunAsync("cluster", "list", "--server", $"https://127.0.0.1:{port}", "--ca-file", authority, "--token-file", token);

        Assert.Equal(7, ran.Code);
        Assert.Contains($"127.0.0.1:{port} (TCP) cannot be reached: Connection refused", ran.Error, StringComparison.Ordinal);
        Assert.Contains("next: ", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_that_does_not_answer_in_time_is_7_too()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var gate = new SemaphoreSlim(0);
        mesh.On("GET clusters", _ =>
        {
            gate.Wait();
            return new FakeMesh.Answer(204, null);
        });
        using var mfctl = new Mfctl(mesh);

        var ran = await mfctl.LineAsync("cluster list --timeout 200ms");
        gate.Release();

        Assert.Equal(7, ran.Code);
        Assert.Contains("mesh.test:8443 (TCP) did not answer within 0.2 s", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public async Task A_server_of_another_CA_is_not_talked_to()
    {
        await using var mesh = await FakeMesh.StartAsync();
        using var mfctl = new Mfctl(mesh);
        var other = System.Security.Cryptography.ECDsa.Create();
        using var certificate = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=other", other, System.Security.Cryptography.HashAlgorithmName.SHA256).CreateSelfSigned(Canned.Now.AddYears(-2), Canned.Now.AddYears(2));

        var ran = await mfctl.RunAsync("cluster", "list", "--ca-file", mfctl.Write("other.crt", certificate.ExportCertificatePem()));

        Assert.Equal(7, ran.Code);
        Assert.Contains("its certificate is not for this name, or not of the CA", ran.Error, StringComparison.Ordinal);
        Assert.Empty(mesh.Requests);
    }

    [Theory]
    [InlineData("cluster list", 4, "not logged in", "mfctl login https://HOST:8443")]
    [InlineData("cluster list --context elsewhere", 3, "there is no context 'elsewhere'", "mfctl context list")]
    public async Task Without_a_context_the_way_to_one_is_told(string line, int code, string message, string next)
    {
        using var mfctl = new Mfctl(null);

        var ran = await mfctl.LineAsync(line);

        Assert.Equal(code, ran.Code);
        Assert.Contains(message, ran.Error, StringComparison.Ordinal);
        Assert.Contains($"next: {next}", ran.Error, StringComparison.Ordinal);
    }

    [Fact]
    public void The_table_has_each_code_once() => Assert.Equal([0, 1, 2, 3, 4, 5, 6, 7, 8, 130], ExitCode.Meanings.Select(m => m.Code));

    public static int FreePort()
    {
        using var listener = new TcpListener(IPAddress.Loopback, 0);
        listener.Start();
        return ((IPEndPoint)listener.LocalEndpoint).Port;
    }
}
