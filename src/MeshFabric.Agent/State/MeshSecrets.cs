using System.Text.Json;
using MeshFabric.Contracts.Messages;
using MeshFabric.Domain.Planning;
using MeshFabric.Net;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.State;

/// <summary>The mesh secrets that this gateway holds, by epoch, in step with the file that they survive in. From any thread.</summary>
public sealed partial class MeshSecrets(AgentStateDirectory state, ILogger<MeshSecrets> log)
{
    readonly Lock _lock = new();
    readonly SortedDictionary<int, MeshSecret> _secrets = [];
    readonly Dictionary<PublicKey, (int Epoch, PresharedKey Key)> _keys = [];
    PrivateKey? _own;

    /// <summary>0 for none.</summary>
    public int Newest
    {
        get
        {
            lock (_lock)
            {
                return _secrets.Count == 0 ? 0 : _secrets.Keys.Last();
            }
        }
    }

    /// <summary>Takes over what is on disk. A damaged file is set aside: whoever issued them issues them again.</summary>
    public void Load()
    {
        lock (_lock)
        {
            _own = state.DeviceKey();
            var held = state.ReadMeshSecrets(out var setAside);
            foreach (var (epoch, secret) in held)
            {
                _secrets[epoch] = secret;
            }

            if (setAside is not null)
            {
                LogSetAside(log, setAside);
            }
        }
    }

    /// <summary>True when it is held now. What cannot be opened is not for us, and whoever sent it sends another.</summary>
    public bool Accept(MeshSecretIssued message)
    {
        lock (_lock)
        {
            try
            {
                if (message.Epoch < 1)
                {
                    throw new FormatException($"epochs count from 1, and this one is {message.Epoch}");
                }

                _secrets[message.Epoch] = MeshSecret.Open(message.Sealed, _own ??= state.DeviceKey(), message.Epoch);
            }
            catch (FormatException e)
            {
                LogRefused(log, message.Epoch, e.Message);
                return false;
            }

            _keys.Clear();
            state.WriteMeshSecrets(_secrets);
            LogHeld(log, message.Epoch);
            return true;
        }
    }

    /// <summary>The pre-shared key of a tunnel. While its epoch is not held, what it had before: a tunnel that works goes on until then.</summary>
    public PresharedKey? KeyOf(TunnelPeer peer)
    {
        lock (_lock)
        {
            if (peer.KeyEpoch == 0)
            {
                _keys.Remove(peer.PublicKey);
                return null;
            }

            if (_keys.TryGetValue(peer.PublicKey, out var known) && known.Epoch == peer.KeyEpoch)
            {
                return known.Key;
            }

            if (!_secrets.TryGetValue(peer.KeyEpoch, out var secret))
            {
                return known.Key;
            }

            var key = secret.KeyOf(_own!.ToPublicKey(), peer.PublicKey);
            _keys[peer.PublicKey] = (peer.KeyEpoch, key);
            return key;
        }
    }

    /// <summary>Wipes those of older epochs, here and on disk: no tunnel needs them any more.</summary>
    public void Keep(int oldest)
    {
        lock (_lock)
        {
            var gone = _secrets.Keys.Where(e => e < oldest).ToList();
            if (gone.Count == 0)
            {
                return;
            }

            gone.ForEach(e => _secrets.Remove(e));
            state.WriteMeshSecrets(_secrets);
            LogWiped(log, string.Join(", ", gone));
        }
    }

    [LoggerMessage(5030, LogLevel.Information, "The mesh secret of epoch {Epoch} is held")]
    static partial void LogHeld(ILogger logger, int epoch);

    [LoggerMessage(5031, LogLevel.Information, "Mesh secrets that no tunnel needs any more were wiped: epochs {Epochs}")]
    static partial void LogWiped(ILogger logger, string epochs);

    [LoggerMessage(5032, LogLevel.Warning, "The mesh secret of epoch {Epoch} cannot be used: {Reason}")]
    static partial void LogRefused(ILogger logger, int epoch, string reason);

    [LoggerMessage(5033, LogLevel.Warning, "The mesh secrets on disk were damaged and set aside as {File}; they are issued anew")]
    static partial void LogSetAside(ILogger logger, string file);
}
