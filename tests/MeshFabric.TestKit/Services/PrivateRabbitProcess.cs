using System.Diagnostics;
using System.Security.Cryptography;
using MeshFabric.TestKit.Kubernetes;

namespace MeshFabric.TestKit.Services;

/// <summary>The processes and files behind a <see cref="PrivateRabbit"/>.</summary>
sealed class PrivateRabbitProcess(PrivateRabbitOptions options, PrivateRabbitPorts ports)
{
    const string Install = "run deploy/scripts/install-packages.sh services";

    readonly DetachedProcess _broker = new("rabbitmq", options.Directory);
    readonly DetachedProcess _epmd = new("epmd", options.Directory);

    // A process is told to be ours by our directory in its command line: epmd is started by a link in it, the VM gets it as a word of its own.
    string EpmdLink => Path.Combine(options.Directory, "epmd");

    public PrivateRabbitPorts Ports => ports;

    public int? Pid => _broker.Pid;

    public async Task InitializeAsync(string username, string password, CancellationToken cancellationToken)
    {
        foreach (var directory in new[] { "", "mnesia", "log", "schema", "generated", "tls" })
        {
            Directory.CreateDirectory(Path.Combine(options.Directory, directory));
        }

        File.Copy(options.AuthorityFile, Tls("ca.crt"));
        File.Copy(options.CertificateFile, Tls("server.crt"));
        File.Copy(options.KeyFile, Tls("server.key"));
        File.CreateSymbolicLink(EpmdLink, Program("/usr/bin/epmd"));
        await WriteAsync("enabled_plugins", "[rabbitmq_management,rabbitmq_auth_mechanism_ssl].\n", cancellationToken);
        await WriteAsync("rabbitmq.conf", Configuration(username, password), cancellationToken);
        await WriteAsync(".erlang.cookie", Convert.ToHexString(RandomNumberGenerator.GetBytes(20)), cancellationToken);
        if (!OperatingSystem.IsWindows())
        {
            File.SetUnixFileMode(Path.Combine(options.Directory, ".erlang.cookie"), UnixFileMode.UserRead);
            File.SetUnixFileMode(options.Directory, UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute);
        }

        if (Environment.IsPrivilegedProcess)
        {
            using var chown = Process.Start("chown", ["-R", "rabbitmq:rabbitmq", options.Directory]);
            await chown.WaitForExitAsync(cancellationToken);
        }
    }

    /// <summary>Starts what does not run; returns before the broker is ready.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        // Else the VM would start a shared epmd that outlives it.
        await _epmd.StartAsync(Prefix(), [EpmdLink, "-port", $"{ports.Epmd}", "-address", "127.0.0.1", "-relaxed_command_check"], cancellationToken);
        await UntilAsync(() => _epmd.Pid is not null, () => _epmd.LogTail(), cancellationToken);
        // Not /usr/sbin/rabbitmq-server: that wrapper changes user and directory. With its input allowed it becomes the VM, so the pid is the VM's.
        await _broker.StartAsync(Prefix(), [Path.Combine(Home(), "sbin", "rabbitmq-server"), "-noinput"], cancellationToken);
        await UntilAsync(() => _broker.Pid is not null, LogTail, cancellationToken);
    }

    public Task StopAsync(string signal, CancellationToken cancellationToken) => _broker.StopAsync(signal, cancellationToken);

    public async Task EndAsync(CancellationToken cancellationToken)
    {
        // Its data goes too: no need to wait for an orderly end.
        await _broker.StopAsync("KILL", cancellationToken);
        await _epmd.StopAsync("KILL", cancellationToken);
    }

    public string LogTail() => _broker.LogTail();

    string Tls(string file) => Path.Combine(options.Directory, "tls", file);

    Task WriteAsync(string file, string text, CancellationToken cancellationToken) => File.WriteAllTextAsync(Path.Combine(options.Directory, file), text, cancellationToken);

    string Configuration(string username, string password) => $"""
        listeners.tcp = none
        listeners.ssl.default = {options.Address}:{ports.Amqps}
        ssl_options.cacertfile = {Tls("ca.crt")}
        ssl_options.certfile = {Tls("server.crt")}
        ssl_options.keyfile = {Tls("server.key")}
        ssl_options.verify = verify_peer
        ssl_options.fail_if_no_peer_cert = false
        ssl_options.versions.1 = tlsv1.3
        ssl_options.versions.2 = tlsv1.2
        auth_mechanisms.1 = PLAIN
        auth_mechanisms.2 = EXTERNAL
        ssl_cert_login_from = common_name
        default_user = {username}
        default_pass = {password}
        default_user_tags.administrator = true
        loopback_users = none
        management.tcp.ip = 127.0.0.1
        management.tcp.port = {ports.Management}
        vm_memory_high_watermark.absolute = 1GB
        disk_free_limit.absolute = 50MB
        log.file.level = warning

        """;

    // By env, for the words before it may change the user, and a start must not read what this process has in its environment.
    string[] Prefix()
    {
        var directory = options.Directory;
        string[] user = Environment.IsPrivilegedProcess ? ["setpriv", "--reuid=rabbitmq", "--regid=rabbitmq", "--init-groups", "--inh-caps=-all", "--"] : [];
        return
        [
            .. options.CommandPrefix, .. user, "env", "-i", $"PATH={Environment.GetEnvironmentVariable("PATH")}", $"HOME={directory}", "LANG=C.UTF-8", "ERL_CRASH_DUMP_SECONDS=0",
            $"ERL_EPMD_PORT={ports.Epmd}", "ERL_EPMD_ADDRESS=127.0.0.1",
            $"RABBITMQ_HOME={Home()}", "RABBITMQ_CONF_ENV_FILE=/dev/null", $"RABBITMQ_NODENAME=mf{ports.Amqps}@localhost", $"RABBITMQ_DIST_PORT={ports.Distribution}",
            $"RABBITMQ_MNESIA_BASE={directory}/mnesia", $"RABBITMQ_LOG_BASE={directory}/log", $"RABBITMQ_SCHEMA_DIR={directory}/schema", $"RABBITMQ_GENERATED_CONFIG_DIR={directory}/generated",
            $"RABBITMQ_CONFIG_FILE={directory}/rabbitmq.conf", $"RABBITMQ_ADVANCED_CONFIG_FILE={directory}/advanced.config", $"RABBITMQ_ENABLED_PLUGINS_FILE={directory}/enabled_plugins",
            $"RABBITMQ_PID_FILE={directory}/broker.pid", "RABBITMQ_ALLOW_INPUT=1",
            // Spinning schedulers would take the processor from the tests.
            $"RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS=+sbwt none +sbwtdcpu none +sbwtdio none -kernel inet_dist_use_interface {{127,0,0,1}} -meshfabric {directory}",
        ];
    }

    static string Home() =>
        Directory.Exists("/usr/lib/rabbitmq/lib") && Directory.GetDirectories("/usr/lib/rabbitmq/lib", "rabbitmq_server-*").Max(StringComparer.Ordinal) is { } path
            ? path
            : throw new InvalidOperationException($"RabbitMQ is not installed: {Install}");

    static string Program(string path) => File.Exists(path) ? path : throw new InvalidOperationException($"{path} is not installed: {Install}");

    static async Task UntilAsync(Func<bool> condition, Func<string> log, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(20))
            {
                throw new InvalidOperationException($"a process of the broker did not start; the end of its log:\n{log()}");
            }

            await Task.Delay(20, cancellationToken);
        }
    }
}
