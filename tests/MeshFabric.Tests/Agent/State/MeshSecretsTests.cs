using MeshFabric.Agent.State;
using MeshFabric.Contracts.Messages;
using MeshFabric.Net;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshFabric.Tests.Agent.State;

public sealed class MeshSecretsTests : IDisposable
{
    static readonly MeshSecret First = Filled(1), Second = Filled(2);
    static readonly PublicKey Far = PrivateKey.Generate().ToPublicKey();

    readonly AgentStateDirectory _state = new(Directory.CreateTempSubdirectory("mf-secrets-").FullName);

    public void Dispose() => Directory.Delete(_state.Directory, recursive: true);

    [Fact]
    public void What_was_issued_survives_a_restart_in_a_file_that_only_its_owner_reads()
    {
        var secrets = Loaded();
        Assert.Equal(0, secrets.Newest);
        Assert.True(secrets.Accept(Issued(1, First)));
        Assert.True(secrets.Accept(Issued(2, Second)));
        var again = Loaded();
        Assert.Equal(2, again.Newest);
        Assert.Equal(First.KeyOf(Own, Far), again.KeyOf(Own, Far, 1));
        Assert.Equal(Second.KeyOf(Own, Far), again.KeyOf(Own, Far, 2));
        Assert.True(OperatingSystem.IsWindows() || File.GetUnixFileMode(_state.MeshSecretsFile) == (UnixFileMode.UserRead | UnixFileMode.UserWrite));
    }

    [Fact]
    public void One_that_is_for_somebody_else_is_not_taken_and_changes_nothing()
    {
        var secrets = Loaded();
        secrets.Accept(Issued(1, First));
        Assert.False(secrets.Accept(new MeshSecretIssued(2, Second.Seal(Far, 2))));
        Assert.False(secrets.Accept(new MeshSecretIssued(0, Second.Seal(Own, 0))));
        Assert.Equal(1, secrets.Newest);
        Assert.Null(secrets.KeyOf(Own, Far, 2));
    }

    [Fact]
    public void An_epoch_that_is_issued_again_with_another_secret_is_another()
    {
        var secrets = Loaded();
        secrets.Accept(Issued(1, First));
        secrets.KeyOf(Own, Far, 1);
        secrets.Accept(Issued(1, Second));
        Assert.Equal(Second.KeyOf(Own, Far), secrets.KeyOf(Own, Far, 1));
    }

    [Fact]
    public void What_no_tunnel_needs_is_wiped_from_the_disk_too()
    {
        var secrets = Loaded();
        secrets.Accept(Issued(1, First));
        secrets.Accept(Issued(2, Second));
        secrets.Keep(0);
        Assert.Contains(Convert.ToBase64String(First.Bytes), File.ReadAllText(_state.MeshSecretsFile), StringComparison.Ordinal);
        secrets.Keep(2);
        Assert.DoesNotContain(Convert.ToBase64String(First.Bytes), File.ReadAllText(_state.MeshSecretsFile), StringComparison.Ordinal);
        Assert.Equal(Second.KeyOf(Own, Far), Loaded().KeyOf(Own, Far, 2));
    }

    [Fact]
    public void A_damaged_file_is_set_aside_and_none_is_held()
    {
        Loaded().Accept(Issued(1, First));
        File.WriteAllText(_state.MeshSecretsFile, """{"1":"AAAA"}""");
        Assert.Equal(0, Loaded().Newest);
        Assert.True(File.Exists(_state.MeshSecretsFile + ".corrupt"));
    }

    PublicKey Own => _state.DeviceKey().ToPublicKey();

    MeshSecretIssued Issued(int epoch, MeshSecret secret) => new(epoch, secret.Seal(Own, epoch));

    MeshSecrets Loaded()
    {
        var secrets = new MeshSecrets(_state, new DeviceKeys(_state), NullLogger<MeshSecrets>.Instance);
        secrets.Load();
        return secrets;
    }

    static MeshSecret Filled(byte value) => new([.. Enumerable.Repeat(value, MeshSecret.Size)]);
}
