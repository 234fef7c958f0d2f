using System.Diagnostics;
using System.Net;
using MeshFabric.Server.Tests.Services;
using MeshFabric.TestKit;

namespace MeshFabric.Server.Tests.Control;

/// <summary>The control service as a process of its own, so that it can be killed.</summary>
public sealed class ControlProcess(ControlSettings settings) : IAsyncDisposable
{
    Process? _process;

    static string Program => Path.Combine(AppContext.BaseDirectory, "meshfabric-control");

    string LogFile => Path.Combine(settings.Folder, "control.log");

    public static ProcessStartInfo Command(IEnumerable<KeyValuePair<string, string?>> values, string logFile)
    {
        // The shell becomes the service: the pid is its own, and no pipe of ours can fill up.
        var start = new ProcessStartInfo("sh", ["-c", "exec \"$1\" run >>\"$0\" 2>&1 </dev/null", logFile, Program]);
        foreach (var (key, value) in values)
        {
            start.Environment[$"MESHFABRIC_{key.Replace(":", "__", StringComparison.Ordinal)}"] = value;
        }

        return start;
    }

    public void Start() => _process = Process.Start(Command(settings.Values, LogFile))!;

    public async Task ReadyAsync(CancellationToken cancellationToken)
    {
        using var http = settings.Http(null);
        await Until.TrueAsync(async () =>
        {
            Assert.False(_process!.HasExited, LogTail());
            try
            {
                return (await http.GetAsync("/readyz", cancellationToken)).StatusCode == HttpStatusCode.OK;
            }
            catch (HttpRequestException)
            {
                return false;
            }
        }, TimeSpan.FromSeconds(90), LogTail, cancellationToken);
    }

    /// <summary>SIGKILL; returns when it is gone.</summary>
    public async Task KillAsync()
    {
        _process!.Kill();
        await _process.WaitForExitAsync();
        _process.Dispose();
        _process = null;
    }

    public string LogTail() => File.Exists(LogFile) ? string.Join('\n', File.ReadLines(LogFile).TakeLast(20)) : "(no log)";

    public async ValueTask DisposeAsync()
    {
        if (_process is not null)
        {
            await KillAsync();
        }
    }
}
