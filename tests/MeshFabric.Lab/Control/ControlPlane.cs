using System.Text.Json;
using MeshFabric.Lab.Processes;
using MeshFabric.TestKit;
using MeshFabric.TestKit.Services;

namespace MeshFabric.Lab.Control;

/// <summary>PostgreSQL, RabbitMQ and the control service in the lab's host <c>control</c>, reached over the lab's internet as in real life.</summary>
public sealed class ControlPlane
{
    const string Host = "control";
    const string DatabaseName = "meshfabric";
    static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);

    readonly Lab _lab;

    ControlPlane(Lab lab, PrivatePostgres database, PrivateRabbit broker)
    {
        _lab = lab;
        Database = database;
        Broker = broker;
    }

    public PrivatePostgres Database { get; }

    public PrivateRabbit Broker { get; }

    /// <summary>The control service.</summary>
    public LabProcess Service => _lab.Process(Host, "meshfabric-control");

    /// <summary>As agents and the lab's own hosts reach it.</summary>
    public static Uri Url => new($"https://{LabAddresses.Control}:{LabAddresses.ControlPort}");

    /// <summary>PEM of the mesh's CA.</summary>
    public string AuthorityFile => AuthorityOf(_lab);

    public string AdminTokenFile => Path.Combine(Folder(_lab), "admin.token");

    /// <summary>Starts all three from nothing; needs the programs on the lab's path.</summary>
    /// <exception cref="LabException">One of them did not come up; the message has the end of its log.</exception>
    public static async Task<ControlPlane> CreateAsync(Lab lab, CancellationToken cancellationToken)
    {
        Directory.CreateDirectory(Folder(lab));
        (await lab.ExecAsync(Host, ["meshfabric-control", "pki", "create", "--directory", Pki(lab), "--name", "localhost", "--ip", $"{LabAddresses.Control}", "--ip", "127.0.0.1"], cancellationToken)).Checked("making certificates");
        var database = PrivatePostgres.StartAsync(DatabaseOptions(lab), cancellationToken);
        var broker = PrivateRabbit.StartAsync(BrokerOptions(lab), cancellationToken);
        await Task.WhenAll(database, broker);
        var plane = new ControlPlane(lab, await database, await broker);
        await plane.Database.CreateDatabaseAsync(DatabaseName, null, cancellationToken);
        await plane.WriteConfigurationAsync(cancellationToken);
        await plane.ApplySchemaAsync("meshfabric-schema", cancellationToken);
        await plane.StartServiceAsync(cancellationToken);
        return plane;
    }

    /// <summary>Brings the database up to the schema of a program.</summary>
    /// <param name="program">Its path, or its name alone for the one that the host has.</param>
    public async Task ApplySchemaAsync(string program, CancellationToken cancellationToken) =>
        (await _lab.ExecAsync(Host, [program, "apply", "--config", ConfigurationFile], cancellationToken)).Checked("applying the schema");

    /// <summary>The control service ends, and the CLI and it are those of another version from now on.</summary>
    /// <param name="programs">Directory with the other version.</param>
    public async Task ChangeServiceAsync(string programs, CancellationToken cancellationToken)
    {
        await Service.StopAsync("TERM", cancellationToken);
        _lab.UsePrograms(Host, programs);
        await StartServiceAsync(cancellationToken);
    }

    /// <summary>The control plane of a lab that is up already.</summary>
    public static ControlPlane Attach(Lab lab) =>
        new(lab, PrivatePostgres.Attach(DatabaseOptions(lab).Directory), PrivateRabbit.Attach(BrokerOptions(lab)));

    /// <summary>Starts the control service unless it runs, and waits until it is ready.</summary>
    public async Task StartServiceAsync(CancellationToken cancellationToken)
    {
        var service = await _lab.StartAsync(Host, "meshfabric-control", ["meshfabric-control", "run", "--config", ConfigurationFile], cancellationToken);
        try
        {
            await Until.TrueAsync(() => IsReadyAsync(cancellationToken), StartLimit, "the control service to be ready", cancellationToken);
        }
        catch (TimeoutException e)
        {
            throw new LabException($"{e.Message}; the end of its log:\n{service.LogTail()}");
        }
    }

    /// <summary>SIGKILL to all three at once, as a power cut would.</summary>
    public Task Kill9Async(CancellationToken cancellationToken) =>
        Task.WhenAll(Service.StopAsync("KILL", cancellationToken), Database.Kill9Async(cancellationToken), Broker.Kill9Async(cancellationToken));

    /// <summary>Starts whatever does not run.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await Task.WhenAll(Database.StartAsync(cancellationToken), Broker.StartAsync(cancellationToken));
        await StartServiceAsync(cancellationToken);
    }

    /// <summary>Where a lab's mesh CA is.</summary>
    public static string AuthorityOf(Lab lab) => Path.Combine(Pki(lab), "ca.crt");

    static string Folder(Lab lab) => Path.Combine(lab.Directory, "control");

    static string Pki(Lab lab) => Path.Combine(Folder(lab), "pki");

    string ConfigurationFile => Path.Combine(Folder(_lab), "control.json");

    static PrivatePostgresOptions DatabaseOptions(Lab lab) => new(Path.Combine(Folder(lab), "postgres")) { Port = 5432, CommandPrefix = [lab.OnScript, Host] };

    static PrivateRabbitOptions BrokerOptions(Lab lab) =>
        new(Path.Combine(Folder(lab), "rabbitmq"), AuthorityOf(lab), Path.Combine(Pki(lab), "broker.crt"), Path.Combine(Pki(lab), "broker.key"))
        {
            Address = LabAddresses.Control,
            Port = LabAddresses.BrokerPort,
            CommandPrefix = [lab.OnScript, Host],
        };

    // In a file, not in the environment or on a command line: those can be read by others.
    async Task WriteConfigurationAsync(CancellationToken cancellationToken)
    {
        var configuration = new
        {
            Database = new { ConnectionString = Database.ConnectionString(DatabaseName) },
            Broker = new { Host = $"{LabAddresses.Control}", Port = LabAddresses.BrokerPort, ManagementUrl = Broker.ManagementUrl.ToString(), Broker.Username, Broker.Password },
            Pki = new { Directory = Pki(_lab) },
            Api = new { Listen = $"https://0.0.0.0:{LabAddresses.ControlPort}", PublicUrl = Url.ToString().TrimEnd('/') },
            Bootstrap = new { AdminTokenFile },
        };
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        await using var file = new FileStream(ConfigurationFile, options);
        await JsonSerializer.SerializeAsync(file, configuration, cancellationToken: cancellationToken);
    }

    async Task<bool> IsReadyAsync(CancellationToken cancellationToken) =>
        (await _lab.ExecAsync(Host, ["curl", "-fsS", "-m", "3", "-o", "/dev/null", "--cacert", AuthorityFile, $"{Url}readyz"], cancellationToken)).ExitCode == 0;
}
