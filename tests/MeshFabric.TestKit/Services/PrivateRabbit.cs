using System.Diagnostics;
using System.Net.Http.Headers;
using System.Net.Http.Json;
using System.Security.Cryptography;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace MeshFabric.TestKit.Services;

/// <summary>A RabbitMQ of our own on 127.0.0.1: AMQPS only, login by client certificate (EXTERNAL) or password, management API; own ports, database, cookie and epmd.</summary>
/// <remarks>
/// Runs as user <c>rabbitmq</c> when we are root, otherwise as ourselves. Ports stay the same over restarts.
/// </remarks>
public sealed class PrivateRabbit : IDisposable
{
    const string StateFile = "server.json";

    readonly PrivateRabbitOptions _options;
    readonly PrivateRabbitProcess _process;
    readonly HttpClient _management;

    PrivateRabbit(PrivateRabbitOptions options, PrivateRabbitPorts ports, string password)
    {
        _options = options;
        Port = ports.Amqps;
        Password = password;
        ManagementUrl = new Uri($"http://127.0.0.1:{ports.Management}/");
        _process = new PrivateRabbitProcess(options, ports);
        _management = new HttpClient { BaseAddress = ManagementUrl, Timeout = TimeSpan.FromSeconds(30) };
        _management.DefaultRequestHeaders.Authorization = new AuthenticationHeaderValue("Basic", Convert.ToBase64String(Encoding.UTF8.GetBytes($"{Username}:{Password}")));
    }

    public string Directory => _options.Directory;

    /// <summary>AMQP over TLS.</summary>
    public int Port { get; }

    public Uri ManagementUrl { get; }

    /// <summary>The administrator; may log in by password.</summary>
    public string Username => "admin";

    public string Password { get; }

    /// <summary>Process id of the Erlang VM, or null when it does not run.</summary>
    public int? Pid => _process.Pid;

    /// <exception cref="InvalidOperationException">RabbitMQ is not installed, or did not come up; the message says what to do.</exception>
    public static async Task<PrivateRabbit> StartAsync(PrivateRabbitOptions options, CancellationToken cancellationToken)
    {
        var ports = FreePorts.Take(4);
        var server = new PrivateRabbit(
            options, new PrivateRabbitPorts(options.Port > 0 ? options.Port : ports[0], ports[1], ports[2], ports[3]), Convert.ToHexStringLower(RandomNumberGenerator.GetBytes(16)));
        await server._process.InitializeAsync(server.Username, server.Password, cancellationToken);
        await server.WriteStateAsync(cancellationToken);
        await server.StartAsync(cancellationToken);
        return server;
    }

    /// <summary>The broker of this directory, running or not, as it was made by whatever process.</summary>
    public static PrivateRabbit Attach(PrivateRabbitOptions options)
    {
        var state = JsonSerializer.Deserialize<State>(File.ReadAllText(Path.Combine(options.Directory, StateFile)))!;
        return new PrivateRabbit(options, state.Ports, state.Password);
    }

    /// <summary>Starts the broker unless it runs, and waits until clients can connect.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        await _process.StartAsync(cancellationToken);
        using var limit = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        limit.CancelAfter(_options.StartLimit);
        while (!await AnswersAsync(limit.Token))
        {
            if (Pid is null || limit.IsCancellationRequested)
            {
                throw new InvalidOperationException($"RabbitMQ in {Directory} did not come up within {_options.StartLimit.TotalSeconds:0} s; the end of its log:\n{_process.LogTail()}");
            }

            await Task.Delay(100, cancellationToken);
        }
    }

    /// <summary>Orderly; data stays.</summary>
    public Task StopAsync(CancellationToken cancellationToken) => _process.StopAsync("TERM", cancellationToken);

    /// <summary>A crash: SIGKILL to the Erlang VM; returns when it is gone.</summary>
    public Task Kill9Async(CancellationToken cancellationToken) => _process.StopAsync("KILL", cancellationToken);

    /// <summary>Ends broker and epmd, and deletes the directory.</summary>
    public async Task DeleteAsync(CancellationToken cancellationToken)
    {
        await _process.EndAsync(cancellationToken);
        Dispose();
        System.IO.Directory.Delete(Directory, recursive: true);
    }

    /// <summary>Lets go of the management client; the broker runs on.</summary>
    public void Dispose() => _management.Dispose();

    /// <summary>A virtual host that the administrator may use.</summary>
    public async Task CreateVirtualHostAsync(string name, CancellationToken cancellationToken)
    {
        await PutAsync($"api/vhosts/{Uri.EscapeDataString(name)}", new JsonObject(), cancellationToken);
        await PutAsync($"api/permissions/{Uri.EscapeDataString(name)}/{Username}", new JsonObject { ["configure"] = ".*", ["write"] = ".*", ["read"] = ".*" }, cancellationToken);
    }

    /// <summary>With all its queues; users stay.</summary>
    public async Task DeleteVirtualHostAsync(string name, CancellationToken cancellationToken)
    {
        using var response = await _management.DeleteAsync($"api/vhosts/{Uri.EscapeDataString(name)}", cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    /// <summary>A list of the management API, as the administrator sees it; lengths in it are up to 5 s old.</summary>
    public async Task<JsonArray> ListAsync(string path, CancellationToken cancellationToken) =>
        await _management.GetFromJsonAsync<JsonArray>(path, cancellationToken) ?? [];

    async Task PutAsync(string path, JsonObject body, CancellationToken cancellationToken)
    {
        using var response = await _management.PutAsJsonAsync(path, body, cancellationToken);
        response.EnsureSuccessStatusCode();
    }

    async Task WriteStateAsync(CancellationToken cancellationToken)
    {
        var options = new FileStreamOptions { Mode = FileMode.Create, Access = FileAccess.Write };
        if (!OperatingSystem.IsWindows())
        {
            options.UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite;
        }

        await using var file = new FileStream(Path.Combine(Directory, StateFile), options);
        await JsonSerializer.SerializeAsync(file, new State(_process.Ports, Password), cancellationToken: cancellationToken);
    }

    // Another network namespace: curl goes there, we do not. The password is not for its command line.
    async Task<bool> AnswersInsideAsync(CancellationToken cancellationToken)
    {
        string[] curl = [.. _options.CommandPrefix, "curl", "-sf", "-m", "5", "-o", "/dev/null", "-K", "-", $"{ManagementUrl}api/health/checks/port-listener/{Port}"];
        using var process = Process.Start(new ProcessStartInfo(curl[0], curl[1..]) { RedirectStandardInput = true })!;
        await process.StandardInput.WriteAsync($"user = \"{Username}:{Password}\"\n");
        process.StandardInput.Close();
        await process.WaitForExitAsync(cancellationToken);
        return process.ExitCode == 0;
    }

    async Task<bool> AnswersAsync(CancellationToken cancellationToken)
    {
        if (_options.CommandPrefix.Count > 0)
        {
            return await AnswersInsideAsync(cancellationToken);
        }

        try
        {
            using var response = await _management.GetAsync($"api/health/checks/port-listener/{Port}", cancellationToken);
            return response.IsSuccessStatusCode;
        }
        catch (Exception e) when (e is HttpRequestException or OperationCanceledException)
        {
            // Not yet: the caller goes on asking, within its limit.
            return false;
        }
    }

    sealed record State(PrivateRabbitPorts Ports, string Password);
}

/// <param name="Amqps">AMQP over TLS.</param>
/// <param name="Management">HTTP, loopback only.</param>
/// <param name="Distribution">Erlang's own; nothing of ours speaks it.</param>
/// <param name="Epmd">Erlang's port mapper.</param>
sealed record PrivateRabbitPorts(int Amqps, int Management, int Distribution, int Epmd);
