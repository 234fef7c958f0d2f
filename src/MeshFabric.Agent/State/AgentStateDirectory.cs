using System.Security.Cryptography;
using System.Security.Cryptography.X509Certificates;
using System.Text.Json;
using MeshFabric.Contracts.Http;
using MeshFabric.Domain;
using MeshFabric.Net;
using PublicKey = MeshFabric.Net.PublicKey;

namespace MeshFabric.Agent.State;

/// <summary>All that an agent keeps on disk. Every file is written whole: to a new file, flushed, renamed over the old one.</summary>
public sealed class AgentStateDirectory(string directory)
{
    public string Directory { get; } = directory;
    public string IdentityFile => Path.Combine(Directory, "identity.json");
    public string DeviceKeyFile => Path.Combine(Directory, "device.key");
    public string NextDeviceKeyFile => DeviceKeyFile + ".next";
    public string AgentKeyFile => Path.Combine(Directory, "agent.key");
    public string AgentCertificateFile => Path.Combine(Directory, "agent.crt");
    public string BrokerAuthorityFile => Path.Combine(Directory, "broker-ca.crt");
    public string FactsFile => Path.Combine(Directory, "facts.json");
    public string MeshSecretsFile => Path.Combine(Directory, "mesh-secrets.json");
    public string SocketFile => Path.Combine(Directory, "agent.sock");
    public string LockFile => Path.Combine(Directory, "lock");
    public string AsideDirectory => Directory.TrimEnd(Path.DirectorySeparatorChar) + ".damaged";
    public string LogDirectory => Path.Combine(Directory, "log");

    public bool IsEnrolled => File.Exists(IdentityFile);

    public void Create()
    {
        if (OperatingSystem.IsWindows())
        {
            System.IO.Directory.CreateDirectory(Directory);
            return;
        }

        System.IO.Directory.CreateDirectory(Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
    }

    /// <summary>Keeps other agents off this directory until disposed or until this process ends, however it ends.</summary>
    /// <exception cref="AgentStateException">An agent runs on it.</exception>
    public IDisposable Hold()
    {
        try
        {
            Create();
            return new FileStream(LockFile, FileMode.OpenOrCreate, FileAccess.ReadWrite, FileShare.None);
        }
        catch (IOException e)
        {
            throw new AgentStateException($"an agent runs on {Directory} already: stop it first, or give another --state", e);
        }
    }

    /// <summary><see cref="Hold"/>, once the agent that runs on it has ended.</summary>
    /// <exception cref="AgentStateException">It did not end in time.</exception>
    public async Task<IDisposable> HoldAsync(TimeSpan limit, TimeProvider time, CancellationToken cancellationToken)
    {
        var started = time.GetTimestamp();
        while (true)
        {
            try
            {
                return Hold();
            }
            catch (AgentStateException) when (time.GetElapsedTime(started) < limit)
            {
                await Task.Delay(TimeSpan.FromMilliseconds(100), time, cancellationToken);
            }
        }
    }

    /// <summary>What an enrolled agent cannot do without can be read; without enrolment there is nothing to check.</summary>
    /// <exception cref="AgentStateException">It cannot; the message says which file and what to do.</exception>
    public void Check()
    {
        if (!IsEnrolled)
        {
            return;
        }

        ReadIdentity();
        if (!File.Exists(DeviceKeyFile))
        {
            // Another key would be one that nobody in the mesh knows.
            throw Damaged(DeviceKeyFile, "missing");
        }

        DeviceKey();
        CheckCertificates();
    }

    void CheckCertificates()
    {
        try
        {
            X509Certificate2.CreateFromPemFile(AgentCertificateFile, AgentKeyFile).Dispose();
            X509CertificateLoader.LoadCertificateFromFile(BrokerAuthorityFile).Dispose();
        }
        catch (CryptographicException e)
        {
            throw new AgentStateException($"{AgentCertificateFile}, {AgentKeyFile} or {BrokerAuthorityFile} is missing or damaged ({e.Message}): restore them from a backup, or delete {Directory} and enrol this gateway again", e) { IsDamage = true };
        }
        catch (FileNotFoundException e)
        {
            throw Damaged(e.FileName!, "missing", e);
        }
    }

    AgentStateException Damaged(string file, string how, Exception? inner = null) =>
        new($"{file} is {how}: restore it from a backup, or delete {Directory} and enrol this gateway again", inner) { IsDamage = true };

    /// <summary>Moves all of it to a directory beside, in the place of what was set aside before, and tells which.</summary>
    public string SetAside()
    {
        DeleteAside();
        System.IO.Directory.Move(Directory, AsideDirectory);
        return AsideDirectory;
    }

    void DeleteAside()
    {
        if (System.IO.Directory.Exists(AsideDirectory))
        {
            System.IO.Directory.Delete(AsideDirectory, recursive: true);
        }
    }

    /// <exception cref="AgentStateException">It is missing or unreadable.</exception>
    public AgentIdentity ReadIdentity()
    {
        try
        {
            var identity = JsonSerializer.Deserialize<AgentIdentity>(File.ReadAllText(IdentityFile), MeshJson.Lenient);
            if (identity is not { Format: AgentIdentity.CurrentFormat })
            {
                throw new AgentStateException($"{IdentityFile} was written by another version: upgrade the agent, or delete {Directory} and enrol this gateway again");
            }

            return identity is { Server: not null, ClusterId: not null, Cluster: not null, GatewayId: not null, Gateway: not null, Broker.Host: not null, Broker.VirtualHost: not null }
                ? identity
                : throw new JsonException("fields are missing");
        }
        catch (Exception e) when (e is JsonException or IOException)
        {
            throw new AgentStateException($"{IdentityFile} cannot be read ({e.Message}): restore it from a backup, or delete {Directory} and enrol this gateway again (mfctl gateway remove, then meshfabric-agent join)", e) { IsDamage = e is JsonException };
        }
    }

    public void WriteIdentity(AgentIdentity identity) => Write(IdentityFile, JsonSerializer.Serialize(identity, MeshJson.Options));

    /// <summary>The devices' key; made at the first call.</summary>
    /// <exception cref="AgentStateException">The file is damaged.</exception>
    public PrivateKey DeviceKey()
    {
        if (!File.Exists(DeviceKeyFile))
        {
            var made = PrivateKey.Generate();
            WriteKey(DeviceKeyFile, made);
            return made;
        }

        return ReadKey(DeviceKeyFile) ?? throw Damaged(DeviceKeyFile, "damaged");
    }

    /// <summary>The key that is to take the place of <see cref="DeviceKey"/>; null when there is none, or none that can be read: another one is made then.</summary>
    public PrivateKey? NextDeviceKey() => File.Exists(NextDeviceKeyFile) ? ReadKey(NextDeviceKeyFile) : null;

    public void WriteNextDeviceKey(PrivateKey key) => WriteKey(NextDeviceKeyFile, key);

    /// <summary>The next key is the devices' key from now on; the former is gone.</summary>
    public void PromoteNextDeviceKey() => File.Move(NextDeviceKeyFile, DeviceKeyFile, overwrite: true);

    static PrivateKey? ReadKey(string file)
    {
        var bytes = new byte[PublicKey.Size];
        return Convert.TryFromBase64String(File.ReadAllText(file).Trim(), bytes, out var written) && written == PublicKey.Size ? new PrivateKey(bytes) : null;
    }

    void WriteKey(string file, PrivateKey key) => Write(file, Convert.ToBase64String(key.Bytes) + "\n");

    /// <summary>The last accepted facts; null when there are none. A damaged file is set aside: facts can be fetched anew.</summary>
    /// <param name="setAside">Where a damaged file went, or null.</param>
    public MeshFacts? ReadFacts(out string? setAside)
    {
        setAside = null;
        if (!File.Exists(FactsFile))
        {
            return null;
        }

        try
        {
            return JsonSerializer.Deserialize<MeshFacts>(File.ReadAllText(FactsFile), MeshJson.Lenient) is { Settings: not null, Clusters: not null } facts
                ? facts
                : throw new JsonException("fields are missing");
        }
        catch (Exception e) when (e is JsonException or FormatException)
        {
            setAside = FactsFile + ".corrupt";
            File.Move(FactsFile, setAside, overwrite: true);
            return null;
        }
    }

    /// <summary>By epoch. A damaged file is set aside: secrets are issued anew.</summary>
    /// <param name="setAside">Where a damaged file went, or null.</param>
    public IReadOnlyDictionary<int, MeshSecret> ReadMeshSecrets(out string? setAside)
    {
        setAside = null;
        if (!File.Exists(MeshSecretsFile))
        {
            return new Dictionary<int, MeshSecret>();
        }

        try
        {
            var texts = JsonSerializer.Deserialize<Dictionary<int, string>>(File.ReadAllText(MeshSecretsFile)) ?? throw new JsonException("nothing is in it");
            return texts.ToDictionary(t => t.Key, t => new MeshSecret(Convert.FromBase64String(t.Value)));
        }
        catch (Exception e) when (e is JsonException or FormatException or ArgumentException)
        {
            setAside = MeshSecretsFile + ".corrupt";
            File.Move(MeshSecretsFile, setAside, overwrite: true);
            return new Dictionary<int, MeshSecret>();
        }
    }

    public void WriteMeshSecrets(IReadOnlyDictionary<int, MeshSecret> secrets) =>
        Write(MeshSecretsFile, JsonSerializer.Serialize(secrets.ToDictionary(s => s.Key, s => Convert.ToBase64String(s.Value.Bytes))));

    public void WriteFacts(MeshFacts facts) => Write(FactsFile, JsonSerializer.Serialize(facts, MeshJson.Options));

    /// <summary>Mode 0600.</summary>
    public void Write(string file, string text)
    {
        Create();
        var temporary = file + ".new";
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        using (var stream = new FileStream(temporary, options))
        {
            stream.Write(System.Text.Encoding.UTF8.GetBytes(text));
            stream.Flush(flushToDisk: true);
        }

        File.Move(temporary, file, overwrite: true);
    }

    /// <summary>Deletes all of it, also what was set aside. The directory itself may be a mount point, and then stays, empty.</summary>
    public void Delete()
    {
        DeleteAside();
        if (!System.IO.Directory.Exists(Directory))
        {
            return;
        }

        foreach (var entry in new DirectoryInfo(Directory).EnumerateFileSystemInfos())
        {
            if (entry is DirectoryInfo folder)
            {
                folder.Delete(recursive: true);
            }
            else
            {
                entry.Delete();
            }
        }

        try
        {
            System.IO.Directory.Delete(Directory);
        }
        catch (IOException)
        {
            // Mounted there, or its parent is not ours.
        }
    }
}
