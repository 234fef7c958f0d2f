using System.Globalization;
using MeshFabric.TestKit;

namespace MeshFabric.Lab.Processes;

/// <summary>A program that runs in a host of the lab, in a session of its own: it outlives whoever started it.</summary>
/// <param name="PidFile">Holds the pid and the start time, so that a reused pid is never taken for ours.</param>
public sealed record LabProcess(string Name, string PidFile, string LogFile)
{
    public int? Pid
    {
        get
        {
            if (!File.Exists(PidFile) || File.ReadAllText(PidFile).Split(' ') is not [var text, var started])
            {
                return null;
            }

            var pid = int.Parse(text, CultureInfo.InvariantCulture);
            return StartTime(pid) == started.Trim() ? pid : null;
        }
    }

    /// <summary>Sends a signal (a name as <c>kill</c> takes it) and waits until the process is gone.</summary>
    public async Task StopAsync(string signal, CancellationToken cancellationToken)
    {
        if (Pid is not { } pid)
        {
            return;
        }

        (await Command.RunAsync(["kill", $"-{signal}", pid.ToString(CultureInfo.InvariantCulture)], null, cancellationToken)).Checked($"stopping {Name}");
        await Until.TrueAsync(() => Pid is null, TimeSpan.FromSeconds(30), $"{Name} to end on SIG{signal}", cancellationToken);
    }

    public string LogTail(int lines = 15) => File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(lines)) : "(no log)";

    /// <summary>Field 22 of /proc/PID/stat, clock ticks since boot; null when there is no such process or it is a zombie.</summary>
    public static string? StartTime(int pid)
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
}
