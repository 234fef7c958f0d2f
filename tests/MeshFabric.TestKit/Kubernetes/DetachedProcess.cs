using System.Diagnostics;
using System.Globalization;

namespace MeshFabric.TestKit.Kubernetes;

/// <summary>A daemon in a session of its own, known by its pid file; it outlives the process that started it.</summary>
sealed class DetachedProcess(string name, string directory)
{
    string PidFile => Path.Combine(directory, name + ".pid");

    public string LogFile => Path.Combine(directory, name + ".log");

    /// <summary>Null when it does not run; a pid that was given to another program is not ours, for that one started at another time.</summary>
    public int? Pid
    {
        get
        {
            try
            {
                return File.ReadAllText(PidFile).Split(' ') is [var text, var started] && int.TryParse(text, CultureInfo.InvariantCulture, out var pid) && StartTime(pid) == started.Trim() ? pid : null;
            }
            catch (IOException)
            {
                // Never started.
                return null;
            }
        }
    }

    /// <summary>Field 22 of /proc/PID/stat, clock ticks since boot; stays over exec, whatever a process becomes. Null when there is none, or only a zombie.</summary>
    static string? StartTime(int pid)
    {
        try
        {
            var stat = File.ReadAllText(string.Create(CultureInfo.InvariantCulture, $"/proc/{pid}/stat"));
            var fields = stat[(stat.LastIndexOf(')') + 2)..].Split(' ');
            return fields[0] is "Z" or "X" ? null : fields[19];
        }
        catch (IOException)
        {
            return null;
        }
    }

    public async Task StartAsync(IReadOnlyList<string> prefix, IReadOnlyList<string> command, CancellationToken cancellationToken)
    {
        if (Pid is not null)
        {
            return;
        }

        // None of our streams may be kept, or whoever reads our output by a pipe waits for the daemon. The pid is the daemon's, for sh becomes it.
        const string Script = """echo "$$ $(sed "s/.*) //" /proc/$$/stat | cut -d" " -f20)" >"$0.new"; mv "$0.new" "$0"; log=$1; shift; exec "$@" >>"$log" 2>&1 </dev/null""";
        File.Delete(PidFile);
        string[] all = ["setsid", "--fork", .. prefix, "sh", "-c", Script, PidFile, LogFile, .. command];
        using var process = Process.Start(new ProcessStartInfo(all[0], all[1..]) { WorkingDirectory = directory })!;
        await process.WaitForExitAsync(cancellationToken);
        if (process.ExitCode != 0)
        {
            throw new InvalidOperationException($"could not start {name}: '{string.Join(' ', all.Take(4))} ...' ended with {process.ExitCode}");
        }
    }

    /// <summary>Sends the signal (KILL, TERM) and waits until the process is gone.</summary>
    public async Task StopAsync(string signal, CancellationToken cancellationToken)
    {
        if (Pid is not { } pid)
        {
            return;
        }

        using (var kill = Process.Start("kill", [$"-{signal}", pid.ToString(CultureInfo.InvariantCulture)]))
        {
            await kill.WaitForExitAsync(cancellationToken);
        }

        var clock = Stopwatch.StartNew();
        while (Pid == pid)
        {
            if (clock.Elapsed > TimeSpan.FromSeconds(60))
            {
                throw new InvalidOperationException($"{name} (pid {pid}) did not end on SIG{signal}");
            }

            await Task.Delay(20, cancellationToken);
        }
    }

    public string LogTail() => File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(15)) : "(no log)";
}
