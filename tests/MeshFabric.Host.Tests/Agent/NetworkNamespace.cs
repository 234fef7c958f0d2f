using System.Diagnostics;
using System.Runtime.InteropServices;

namespace MeshFabric.Host.Tests.Agent;

/// <summary>A network namespace of one test; gone with it.</summary>
sealed partial class NetworkNamespace : IDisposable
{
    public NetworkNamespace() => Must("ip", "netns", "add", Name);

    public string Name { get; } = $"mfht-{Guid.NewGuid().ToString("n")[..8]}";

    public string Path => $"/run/netns/{Name}";

    public string Exec(params string[] command) => Must(["ip", "netns", "exec", Name, .. command]);

    public (int Code, string Output) Try(string input, params string[] command) => Run(input, ["ip", "netns", "exec", Name, .. command]);

    /// <summary>Runs this on a thread of its own inside.</summary>
    public void Inside(Action action)
    {
        Exception? failure = null;
        var thread = new Thread(() =>
        {
            try
            {
                using var entry = File.OpenHandle(Path);
                Assert.Equal(0, SetNs((int)entry.DangerousGetHandle(), 0));
                action();
            }
            catch (Exception e)
            {
                failure = e;
            }
        });
        thread.Start();
        thread.Join();
        if (failure is not null)
        {
            System.Runtime.ExceptionServices.ExceptionDispatchInfo.Throw(failure);
        }
    }

    [LibraryImport("libc", EntryPoint = "setns", SetLastError = true)]
    private static partial int SetNs(int file, int kind);

    public void Dispose() => Run("", "ip", "netns", "del", Name);

    static string Must(params string[] command)
    {
        var (code, output) = Run("", command);
        return code == 0 ? output : throw new InvalidOperationException($"{string.Join(' ', command)} failed (root and iproute2 are needed: deploy/scripts/install-packages.sh lab): {output}");
    }

    static (int Code, string Output) Run(string input, params string[] command)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardInput = true, RedirectStandardOutput = true, RedirectStandardError = true };
        using var process = Process.Start(start)!;
        process.StandardInput.Write(input);
        process.StandardInput.Close();
        var error = process.StandardError.ReadToEndAsync();
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return (process.ExitCode, output + error.Result);
    }
}
