using MeshFabric.Net;

namespace MeshFabric.Agent.State;

/// <summary>The key of this gateway's devices, and the one that is to take its place; in step with the files that they survive in. From any thread.</summary>
/// <remarks>Both are born here and never leave. The former is wiped once the facts say that the next one is the gateway's.</remarks>
public sealed class DeviceKeys(AgentStateDirectory state)
{
    sealed record Pair(PrivateKey Key, PublicKey Public)
    {
        public static Pair? Of(PrivateKey? key) => key is null ? null : new Pair(key, key.ToPublicKey());
    }

    readonly Lock _lock = new();
    volatile Pair? _current;
    volatile Pair? _next;
    volatile PublicKey? _used;

    /// <summary>As the facts say, or did when they were last heard.</summary>
    public PrivateKey Current => Held.Key;

    /// <summary>Null: nobody asked for one.</summary>
    public PublicKey? Offered => _next?.Public;

    /// <summary>Which of them the devices have; null before they were first made.</summary>
    public PublicKey? Used
    {
        get => _used;
        set => _used = value;
    }

    /// <summary>All that are held, the one in force first.</summary>
    public IEnumerable<PrivateKey> All => new[] { Held, _next }.OfType<Pair>().Select(p => p.Key);

    Pair Held
    {
        get
        {
            if (_current is null)
            {
                Load();
            }

            return _current!;
        }
    }

    /// <exception cref="AgentStateException">A file is damaged.</exception>
    public void Load()
    {
        lock (_lock)
        {
            (_current, _next) = (Pair.Of(state.DeviceKey()), Pair.Of(state.NextDeviceKey()));
        }
    }

    /// <summary>Makes the next key, unless there is one.</summary>
    public void Offer()
    {
        lock (_lock)
        {
            if (_next is null)
            {
                var made = PrivateKey.Generate();
                state.WriteNextDeviceKey(made);
                _next = Pair.Of(made);
            }
        }
    }

    /// <summary>The one with this public key, if it is held; else the one in force.</summary>
    public PrivateKey Of(PublicKey? key) => Pick(key).Key;

    /// <summary>Public key of <see cref="Of"/>.</summary>
    public PublicKey PublicOf(PublicKey? key) => Pick(key).Public;

    Pair Pick(PublicKey? key) => _next is { } next && next.Public == key ? next : Held;

    /// <summary>The facts say which key is this gateway's: when it is the next one, the former is wiped.</summary>
    /// <returns>True when another one is in force now.</returns>
    public bool Settle(PublicKey fact)
    {
        lock (_lock)
        {
            if (_next is not { } next || next.Public != fact)
            {
                return false;
            }

            state.PromoteNextDeviceKey();
            (_current, _next) = (next, null);
            return true;
        }
    }
}
