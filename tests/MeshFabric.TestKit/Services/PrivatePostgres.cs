using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json;
using Npgsql;

namespace MeshFabric.TestKit.Services;

/// <summary>A PostgreSQL server of our own: own data directory, own port, own password; nobody else's server is touched.</summary>
/// <remarks>
/// The server is a daemon in a session of its own and outlives this process: <see cref="Attach"/> finds it again by its directory.
/// Runs as user <c>postgres</c> when we are root, for it refuses to be root; otherwise as ourselves.
/// Confirmed commits survive <see cref="Kill9Async"/>: only fsync is off, not synchronous_commit.
/// </remarks>
public sealed class PrivatePostgres
{
    const string AdminDatabase = "postgres";
    const string StateFile = "server.json";

    readonly PrivatePostgresOptions _options;
    readonly PrivatePostgresProcess _process;
    readonly string _password;

    PrivatePostgres(PrivatePostgresOptions options, string password)
    {
        _options = options;
        _password = password;
        _process = new PrivatePostgresProcess(options);
    }

    public string Directory => _options.Directory;

    public string LogFile => _process.LogFile;

    public IPAddress Address => _options.Address;

    public int Port => _options.Port;

    /// <summary>Process id of the postmaster, or null when it does not run.</summary>
    public int? Pid => _process.Pid;

    /// <summary>Makes the data directory if there is none, starts the server if it does not run, and waits until it answers.</summary>
    /// <exception cref="InvalidOperationException">PostgreSQL is not installed, or did not come up; the message says what to do.</exception>
    public static async Task<PrivatePostgres> StartAsync(PrivatePostgresOptions options, CancellationToken cancellationToken)
    {
        var server = File.Exists(Path.Combine(options.Directory, StateFile))
            ? Attach(options.Directory)
            : await CreateAsync(options.Port == 0 ? options with { Port = FreePort(options.Address) } : options, cancellationToken);
        await server.StartAsync(cancellationToken);
        return server;
    }

    /// <summary>The server of this directory, running or not, as it was made by whatever process.</summary>
    public static PrivatePostgres Attach(string directory)
    {
        var state = JsonSerializer.Deserialize<State>(File.ReadAllText(Path.Combine(directory, StateFile)))!;
        var options = new PrivatePostgresOptions(directory) { Address = IPAddress.Parse(state.Address), Port = state.Port, CommandPrefix = state.CommandPrefix };
        return new PrivatePostgres(options, state.Password);
    }

    /// <summary>For clients that reach the server by TCP, as the product does.</summary>
    public string ConnectionString(string database) => Connection(database, _options.Address.ToString()).ConnectionString;

    /// <summary>For this process, whatever network namespace the server is in: sockets in the file system cross them.</summary>
    public string LocalConnectionString(string database) => Connection(database, _process.SocketDirectory).ConnectionString;

    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _process.StartAsync(cancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_options.StartLimit);
        while (!await AnswersAsync(limit.Token))
        {
            if (Pid is null || limit.IsCancellationRequested)
            {
                throw new InvalidOperationException($"PostgreSQL in {Directory} did not come up within {_options.StartLimit.TotalSeconds:0} s; the end of its log:\n{_process.LogTail()}");
            }

            await Task.Delay(50, cancellationToken);
        }
    }

    /// <summary>Orderly: clients are disconnected, data stays.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _process.StopAsync("INT", cancellationToken);

    /// <summary>A crash: SIGKILL to the postmaster; returns when it and all its backends are gone.</summary>
    public Task Kill9Async(CancellationToken cancellationToken) => _process.StopAsync("KILL", cancellationToken);

    /// <summary>Stops the server and deletes its directory.</summary>
    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        await StopAsync(cancellationToken);
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    /// <summary>A new database; <paramref name="template"/> must have no open connections while it is copied.</summary>
    /// <returns>Its TCP connection string.</returns>
    public async Task<string> CreateDatabaseAsync(string name, string? template, CancellationToken cancellationToken)
    {
        await ExecuteAsync($"CREATE DATABASE {Quoted(name)} TEMPLATE {Quoted(template ?? "template1")}", cancellationToken);
        return ConnectionString(name);
    }

    /// <summary>Drops a database and whoever is connected to it.</summary>
    public Task DropDatabaseAsync(string name, CancellationToken cancellationToken) =>
        ExecuteAsync($"DROP DATABASE IF EXISTS {Quoted(name)} WITH (FORCE)", cancellationToken);

    static string Quoted(string name) => '"' + name.Replace("\"", "\"\"", StringComparison.Ordinal) + '"';

    static async Task<PrivatePostgres> CreateAsync(PrivatePostgresOptions options, CancellationToken cancellationToken)
    {
        var password = Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16));
        var server = new PrivatePostgres(options, password);
        await server._process.InitializeAsync(password, cancellationToken);
        var file = Path.Combine(options.Directory, StateFile);
        var json = JsonSerializer.Serialize(new State(options.Address.ToString(), options.Port, [.. options.CommandPrefix], password));
        await File.WriteAllTextAsync(file + ".new", json, cancellationToken);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(file + ".new", UnixFileMode.UserRead | UnixFileMode.UserWrite);
        }

        File.Move(file + ".new", file, overwrite: true);
        return server;
    }

    async Task ExecuteAsync(string sql, CancellationToken cancellationToken)
    {
        await using var connection = new NpgsqlConnection(LocalConnectionString(AdminDatabase));
        await connection.OpenAsync(cancellationToken);
        await using var command = new NpgsqlCommand(sql, connection);
        await command.ExecuteNonQueryAsync(cancellationToken);
    }

    async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        try
        {
            await ExecuteAsync("SELECT 1", cancellationToken);
            return true;
        }
        catch (Exception e) when (e is NpgsqlException or SocketException or OperationCanceledException)
        {
            // Not yet: the caller goes on asking, within its limit.
            return false;
        }
    }

    NpgsqlConnectionStringBuilder Connection(string database, string host) => new()
    {
        Host = host,
        Port = Port,
        Username = "postgres",
        Password = _password,
        Database = database,
        Pooling = host != _process.SocketDirectory,
        Timeout = 15,
        IncludeErrorDetail = true,
    };

    static int FreePort(IPAddress address)
    {
        using var socket = new TcpListener(address, 0);
        socket.Start();
        return ((IPEndPoint)socket.LocalEndpoint).Port;
    }

    sealed record State(string Address, int Port, string[] CommandPrefix, string Password);
}
