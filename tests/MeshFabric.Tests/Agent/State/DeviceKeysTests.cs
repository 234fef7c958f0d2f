using MeshFabric.Agent.State;
using MeshFabric.Contracts.Messages;
using MeshFabric.Net;
using MeshFabric.TestKit;
using Microsoft.Extensions.Logging.Abstractions;

namespace MeshFabric.Tests.Agent.State;

public sealed class DeviceKeysTests : IDisposable
{
    readonly TemporaryDirectory _directory = new();
    readonly AgentStateDirectory _state;

    public DeviceKeysTests() => _state = new AgentStateDirectory(_directory.Path);

    public void Dispose() => _directory.Dispose();

    [Fact]
    public void The_next_key_is_made_once_survives_a_restart_and_takes_the_place_of_the_former_when_the_facts_say_so()
    {
        var keys = Loaded();
        var first = keys.PublicOf(null);
        keys.Offer();
        var next = keys.Offered!;
        keys.Offer();
        Assert.Equal(next, keys.Offered);

        keys = Loaded();
        Assert.Equal((first, next), (keys.PublicOf(null), keys.Offered));
        Assert.Equal(next, keys.Of(next).ToPublicKey());
        Assert.Equal(first, keys.Of(PrivateKey.Generate().ToPublicKey()).ToPublicKey());
        Assert.False(keys.Settle(first));

        Assert.True(keys.Settle(next));
        Assert.False(keys.Settle(next));
        Assert.Equal((next, null), (keys.PublicOf(first), keys.Offered));
        keys = Loaded();
        Assert.Equal((next, null), (keys.PublicOf(null), keys.Offered));
    }

    [Fact]
    public void A_next_key_that_cannot_be_read_is_none_and_another_one_is_made()
    {
        Loaded().Offer();
        File.WriteAllText(_state.NextDeviceKeyFile, "nonsense");
        var keys = Loaded();
        Assert.Null(keys.Offered);
        keys.Offer();
        Assert.Equal(keys.Offered, Loaded().Offered);
    }

    [Fact]
    public void A_mesh_secret_is_opened_by_whichever_key_it_was_sealed_for()
    {
        var keys = Loaded();
        keys.Offer();
        var secrets = new MeshSecrets(_state, keys, NullLogger<MeshSecrets>.Instance);
        var secret = new MeshSecret(new byte[MeshSecret.Size]);
        Assert.True(secrets.Accept(new MeshSecretIssued(1, secret.Seal(keys.PublicOf(null), 1))));
        Assert.True(secrets.Accept(new MeshSecretIssued(2, secret.Seal(keys.Offered!, 2))));
        Assert.False(secrets.Accept(new MeshSecretIssued(3, secret.Seal(PrivateKey.Generate().ToPublicKey(), 3))));
        Assert.Equal([1, 2], secrets.Held);
    }

    DeviceKeys Loaded()
    {
        var keys = new DeviceKeys(_state);
        keys.Load();
        return keys;
    }
}
