using System.Diagnostics;
using System.Globalization;

namespace MeshFabric.TestKit.Services;

/// <summary>The processes and files behind a <see cref="PrivatePostgres"/>.</summary>
sealed class PrivatePostgresProcess(PrivatePostgresOptions options)
{
    const string Install = "run deploy/scripts/install-packages.sh services";

    string DataDirectory => Path.Combine(options.Directory, "data");

    public string SocketDirectory => Path.Combine(options.Directory, "run");

    public string LogFile => Path.Combine(options.Directory, "postgres.log");

    /// <summary>The postmaster's, by its own pid file; null when it does not run.</summary>
    public int? Pid
    {
        get
        {
            try
            {
                var line = File.ReadLines(Path.Combine(DataDirectory, "postmaster.pid")).FirstOrDefault();
                return int.TryParse(line, NumberStyles.None, CultureInfo.InvariantCulture, out var pid) && IsPostgres(pid) ? pid : null;
            }
            catch (IOException)
            {
                // No such file: it was never started, or was stopped.
                return null;
            }
        }
    }

    public async Task InitializeAsync(string password, CancellationToken cancellationToken)
    {
        foreach (var directory in new[] { options.Directory, SocketDirectory })
        {
            Directory.CreateDirectory(directory);
        }

        if (Directory.Exists(DataDirectory))
        {
            Directory.Delete(DataDirectory, recursive: true);
        }

        var passwordFile = Path.Combine(SocketDirectory, "password");
        await File.WriteAllTextAsync(passwordFile, password, cancellationToken);
        Directory.CreateDirectory(DataDirectory);
        await OwnAsync(cancellationToken);
        await RunAsync(
            [.. AsPostgres(), Program("initdb"), "-D", DataDirectory, "-U", "postgres", "-E", "UTF8", "--locale=C.UTF-8", "--auth=scram-sha-256",
                $"--pwfile={passwordFile}", "--no-sync", "--no-instructions"],
            cancellationToken);
        File.Delete(passwordFile);
        await File.AppendAllTextAsync(
            Path.Combine(DataDirectory, "postgresql.conf"),
            $"""

            listen_addresses = '{options.Address}'
            port = {options.Port}
            unix_socket_directories = '{SocketDirectory}'
            max_connections = 300
            shared_buffers = 64MB
            fsync = off
            full_page_writes = off
            log_min_messages = warning
            log_min_error_statement = panic

            """,
            cancellationToken);
    }

    /// <summary>Starts the server unless it runs; returns before it is ready.</summary>
    public async Task StartAsync(CancellationToken cancellationToken)
    {
        if (Pid is not null)
        {
            return;
        }

        // After a crash the server asks these files whether a predecessor lives, and takes one that nobody has reaped yet for alive.
        File.Delete(Path.Combine(DataDirectory, "postmaster.pid"));
        File.Delete(Path.Combine(SocketDirectory, $".s.PGSQL.{options.Port}.lock"));
        // A daemon keeps none of our streams: whoever reads our output by a pipe would wait for it for ever. sh gives it the log instead.
        string[] command = ["sh", "-c", "exec \"$@\" >>\"$0\" 2>&1 </dev/null", LogFile, "setsid", "--fork",
            .. options.CommandPrefix, .. AsPostgres(), Program("postgres"), "-D", DataDirectory];
        await RunAsync(command, cancellationToken);
        await UntilAsync(() => Pid is not null, options.StartLimit, () => $"PostgreSQL in {options.Directory} did not start; the end of its log:\n{LogTail()}", cancellationToken);
    }

    /// <summary>Sends a signal to the postmaster and waits until it and its backends are gone.</summary>
    public async Task StopAsync(string signal, CancellationToken cancellationToken)
    {
        if (Pid is not { } pid)
        {
            return;
        }

        var all = Children(pid).Append(pid).ToList();
        await RunAsync(["kill", $"-{signal}", pid.ToString(CultureInfo.InvariantCulture)], cancellationToken);
        // Backends hold the shared memory: a start before they noticed the crash would be refused.
        await UntilAsync(() => !all.Exists(IsPostgres), TimeSpan.FromSeconds(60), () => $"PostgreSQL in {options.Directory} did not stop on SIG{signal}", cancellationToken);
    }

    public string LogTail() => File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(15)) : "(no log)";

    static async Task UntilAsync(Func<bool> condition, TimeSpan limit, Func<string> error, CancellationToken cancellationToken)
    {
        var clock = Stopwatch.StartNew();
        while (!condition())
        {
            if (clock.Elapsed > limit)
            {
                throw new InvalidOperationException(error());
            }

            await Task.Delay(20, cancellationToken);
        }
    }

    static bool IsPostgres(int pid)
    {
        try
        {
            // A zombie has ended; a pid that was given to another program is not ours.
            var status = File.ReadAllText($"/proc/{pid}/stat");
            return status.Contains("(postgres)", StringComparison.Ordinal) && !status.Contains(") Z ", StringComparison.Ordinal);
        }
        catch (IOException)
        {
            return false;
        }
    }

    static IEnumerable<int> Children(int pid)
    {
        foreach (var task in new[] { $"/proc/{pid}/task/{pid}/children" }.Where(File.Exists))
        {
            foreach (var word in File.ReadAllText(task).Split(' ', StringSplitOptions.RemoveEmptyEntries))
            {
                yield return int.Parse(word, CultureInfo.InvariantCulture);
            }
        }
    }

    Task OwnAsync(CancellationToken cancellationToken) => Environment.IsPrivilegedProcess
        ? RunAsync(["chown", "-R", "postgres:postgres", DataDirectory, SocketDirectory], cancellationToken)
        : Task.CompletedTask;

    static string[] AsPostgres() => Environment.IsPrivilegedProcess
        ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups", "--inh-caps=-all", "--"]
        : [];

    static string Program(string name) =>
        Directory.Exists("/usr/lib/postgresql")
        && Directory.GetDirectories("/usr/lib/postgresql").Select(d => Path.Combine(d, "bin", name)).Where(File.Exists).Max(StringComparer.Ordinal) is { } path
            ? path
            : throw new InvalidOperationException($"PostgreSQL's {name} is not installed: {Install}");

    static async Task RunAsync(string[] command, CancellationToken cancellationToken)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardError = true, RedirectStandardOutput = true, WorkingDirectory = "/" };
        start.Environment["LC_ALL"] = "C.UTF-8";
        using var process = Process.Start(start)!;
        var output = process.StandardOutput.ReadToEndAsync(cancellationToken);
        var error = process.StandardError.ReadToEndAsync(cancellationToken);
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"{Path.GetFileName(command[0])} ended with {process.ExitCode}: {await error}{await output}");
        }
    }
}
