using MeshFabric.Agent.State;
using MeshFabric.Contracts.Http;
using MeshFabric.TestKit;
using MeshFabric.Tests.Domain.Planning;

namespace MeshFabric.Tests.Agent.State;

public sealed class AgentStateDirectoryTests : IDisposable
{
    readonly TemporaryDirectory _folder = new();
    readonly AgentStateDirectory _state;

    public AgentStateDirectoryTests() => _state = new AgentStateDirectory(_folder.File("state"));

    public void Dispose() => _folder.Dispose();

    static AgentIdentity Identity => new(AgentIdentity.CurrentFormat, "https://mesh.example:8443", "c-1", "aurora", "g-1", "gw1", 51820, new BrokerAddress("mesh.example", 5671, "/"));

    [Fact]
    public void What_was_written_is_read_again()
    {
        var facts = Meshes.Of(("aurora", 2, ["10.10.0.0/16"]), ("borealis", 1, ["10.10.0.0/16"]));
        _state.WriteFacts(facts);
        _state.WriteIdentity(Identity);
        Assert.Equal(facts, _state.ReadFacts(out var setAside));
        Assert.Null(setAside);
        Assert.Equal(Identity, _state.ReadIdentity());
    }

    [Fact]
    public void The_device_key_is_made_once_and_stays()
    {
        var key = _state.DeviceKey().ToPublicKey();
        Assert.Equal(key, new AgentStateDirectory(_state.Directory).DeviceKey().ToPublicKey());
    }

    [Fact]
    [System.Runtime.Versioning.SupportedOSPlatform("linux")]
    public void Secrets_are_for_their_owner_only()
    {
        _state.DeviceKey();
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite, File.GetUnixFileMode(_state.DeviceKeyFile));
        Assert.Equal(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, File.GetUnixFileMode(_state.Directory));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("")]
    [InlineData("null")]
    [InlineData("null garbage")]
    [InlineData("{\"revision\":1}")]
    [InlineData("{\"revision\":1,\"settings\":{\"remapPools\":[\"10.1.2.3/8\"]}}")]
    public void Damaged_facts_are_set_aside_for_they_can_be_fetched_anew(string text)
    {
        _state.Create();
        File.WriteAllText(_state.FactsFile, text);
        Assert.Null(_state.ReadFacts(out var setAside));
        Assert.Equal(text, File.ReadAllText(setAside!));
        Assert.False(File.Exists(_state.FactsFile));
    }

    [Fact]
    public void A_damaged_device_key_is_never_replaced_by_another_and_the_message_says_what_to_do()
    {
        _state.DeviceKey();
        File.WriteAllText(_state.DeviceKeyFile, "AAAA");
        var e = Assert.Throws<AgentStateException>(() => _state.DeviceKey());
        Assert.Contains(_state.DeviceKeyFile, e.Message, StringComparison.Ordinal);
        Assert.Contains("restore it from a backup", e.Message, StringComparison.Ordinal);
        Assert.Equal("AAAA", File.ReadAllText(_state.DeviceKeyFile));
    }

    [Theory]
    [InlineData("{")]
    [InlineData("{}")]
    [InlineData("{\"format\":99}")]
    [InlineData("{\"format\":1}")]
    [InlineData("{\"format\":1,\"server\":null}")]
    public void A_damaged_identity_says_which_file_and_what_to_do(string text)
    {
        _state.Create();
        File.WriteAllText(_state.IdentityFile, text);
        var e = Assert.Throws<AgentStateException>(() => _state.ReadIdentity());
        Assert.Contains(_state.IdentityFile, e.Message, StringComparison.Ordinal);
        Assert.Contains("enrol this gateway again", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void An_enrolled_host_without_its_device_key_says_so_instead_of_making_one_that_nobody_knows()
    {
        _state.Check();
        _state.WriteIdentity(new AgentIdentity(AgentIdentity.CurrentFormat, "https://mesh:8443", "c-1", "aurora", "g-1", "gw1", 51820, new BrokerAddress("mesh", 5671, "/")));

        var e = Assert.Throws<AgentStateException>(_state.Check);

        Assert.Contains($"{_state.DeviceKeyFile} is missing", e.Message, StringComparison.Ordinal);
        Assert.True(e.IsDamage);
        Assert.False(File.Exists(_state.DeviceKeyFile));
        _state.DeviceKey();
        Certify();
        _state.Check();
    }

    [Theory]
    [InlineData("agent.key", "nothing")]
    [InlineData("agent.crt", "nothing")]
    [InlineData("broker-ca.crt", "nothing")]
    [InlineData("agent.key", null)]
    [InlineData("broker-ca.crt", null)]
    public void Damaged_certificates_are_told_before_anything_starts(string file, string? text)
    {
        _state.WriteIdentity(Identity);
        _state.DeviceKey();
        Certify();
        _state.Check();
        File.Delete(Path.Combine(_state.Directory, file));
        if (text is not null)
        {
            File.WriteAllText(Path.Combine(_state.Directory, file), text);
        }

        var e = Assert.Throws<AgentStateException>(_state.Check);

        Assert.True(e.IsDamage);
        Assert.Contains(file, e.Message, StringComparison.Ordinal);
        Assert.Contains("enrol this gateway again", e.Message, StringComparison.Ordinal);
    }

    [Fact]
    public void A_state_that_is_set_aside_replaces_the_one_before_it_and_goes_with_the_rest()
    {
        foreach (var server in new[] { "https://one:8443", "https://two:8443" })
        {
            _state.WriteIdentity(Identity with { Server = server });
            Assert.Equal(_state.AsideDirectory, _state.SetAside());
            Assert.False(_state.IsEnrolled);
            Assert.Contains(server, File.ReadAllText(Path.Combine(_state.AsideDirectory, "identity.json")), StringComparison.Ordinal);
        }

        _state.Delete();
        Assert.False(Directory.Exists(_state.AsideDirectory));
    }

    void Certify()
    {
        using var key = System.Security.Cryptography.ECDsa.Create(System.Security.Cryptography.ECCurve.NamedCurves.nistP256);
        using var certificate = new System.Security.Cryptography.X509Certificates.CertificateRequest("CN=agent", key, System.Security.Cryptography.HashAlgorithmName.SHA256)
            .CreateSelfSigned(DateTimeOffset.UnixEpoch, DateTimeOffset.UnixEpoch.AddYears(90));
        _state.Write(_state.AgentKeyFile, key.ExportPkcs8PrivateKeyPem() + "\n");
        _state.Write(_state.AgentCertificateFile, certificate.ExportCertificatePem() + "\n");
        _state.Write(_state.BrokerAuthorityFile, certificate.ExportCertificatePem() + "\n");
    }

    [Fact]
    public void Two_agents_cannot_run_on_one_directory()
    {
        using (_state.Hold())
        {
            Assert.Contains("runs on", Assert.Throws<AgentStateException>(() => _state.Hold()).Message, StringComparison.Ordinal);
        }

        _state.Hold().Dispose();
    }
}
