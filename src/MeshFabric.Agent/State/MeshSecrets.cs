using MeshFabric.Contracts.Messages;
using MeshFabric.Net;
using Microsoft.Extensions.Logging;

namespace MeshFabric.Agent.State;

/// <summary>The mesh secrets that this gateway holds, by epoch, in step with the file that they survive in. From any thread.</summary>
public sealed partial class MeshSecrets(AgentStateDirectory state, DeviceKeys own, ILogger<MeshSecrets> log)
{
    readonly Lock _lock = new();
    readonly Dictionary<(PublicKey Own, PublicKey Peer, int Epoch), PresharedKey> _keys = [];
    SortedDictionary<int, MeshSecret> _secrets = [];
    volatile IReadOnlyList<int> _held = [];

    /// <summary>0 for none.</summary>
    public int Newest => _held is [.., var newest] ? newest : 0;

    /// <summary>Epochs that are held, oldest first.</summary>
    public IReadOnlyList<int> Held => _held;

    /// <summary>Takes over what is on disk. A damaged file is set aside: whoever issued them issues them again.</summary>
    public void Load()
    {
        lock (_lock)
        {
            Take(new SortedDictionary<int, MeshSecret>(state.ReadMeshSecrets(out var setAside).ToDictionary()));
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

                Write(new SortedDictionary<int, MeshSecret>(_secrets) { [message.Epoch] = Open(message) });
            }
            catch (Exception e) when (e is FormatException or IOException or UnauthorizedAccessException)
            {
                LogRefused(log, message.Epoch, e.Message);
                return false;
            }

            foreach (var made in _keys.Keys.Where(k => k.Epoch == message.Epoch).ToList())
            {
                _keys.Remove(made);
            }

            LogHeld(log, message.Epoch);
            return true;
        }
    }

    // Whoever sealed it may not know yet which key is in force here, or we may not.
    MeshSecret Open(MeshSecretIssued message)
    {
        var keys = own.All.ToList();
        foreach (var key in keys[..^1])
        {
            try
            {
                return MeshSecret.Open(message.Sealed, key, message.Epoch);
            }
            catch (FormatException)
            {
                // The last one tells what is wrong.
            }
        }

        return MeshSecret.Open(message.Sealed, keys[^1], message.Epoch);
    }

    /// <summary>The pre-shared key of a pair in one epoch; null while its secret is not held.</summary>
    /// <param name="near">Which of this gateway's keys its device has.</param>
    public PresharedKey? KeyOf(PublicKey near, PublicKey peer, int epoch)
    {
        lock (_lock)
        {
            return _keys.TryGetValue((near, peer, epoch), out var known) ? known
                : _secrets.TryGetValue(epoch, out var secret) ? _keys[(near, peer, epoch)] = secret.KeyOf(near, peer)
                : null;
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

            Write(new SortedDictionary<int, MeshSecret>(_secrets.Where(s => s.Key >= oldest).ToDictionary()));
            foreach (var made in _keys.Keys.Where(k => k.Epoch < oldest).ToList())
            {
                _keys.Remove(made);
            }

            LogWiped(log, string.Join(", ", gone));
        }
    }

    // First the file: what was said to be held must survive.
    void Write(SortedDictionary<int, MeshSecret> secrets)
    {
        state.WriteMeshSecrets(secrets);
        Take(secrets);
    }

    void Take(SortedDictionary<int, MeshSecret> secrets) => (_secrets, _held) = (secrets, [.. secrets.Keys]);

    [LoggerMessage(5030, LogLevel.Information, "The mesh secret of epoch {Epoch} is held")]
    static partial void LogHeld(ILogger logger, int epoch);

    [LoggerMessage(5031, LogLevel.Information, "Mesh secrets that no tunnel needs any more were wiped: epochs {Epochs}")]
    static partial void LogWiped(ILogger logger, string epochs);

    [LoggerMessage(5032, LogLevel.Warning, "The mesh secret of epoch {Epoch} cannot be used: {Reason}")]
    static partial void LogRefused(ILogger logger, int epoch, string reason);

    [LoggerMessage(5033, LogLevel.Warning, "The mesh secrets on disk were damaged and set aside as {File}; they are issued anew")]
    static partial void LogSetAside(ILogger logger, string file);
}
