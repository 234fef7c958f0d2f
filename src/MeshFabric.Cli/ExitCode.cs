namespace MeshFabric.Cli;

/// <summary>What scripts can rely on.</summary>
static class ExitCode
{
    public const int Ok = 0;
    public const int Failed = 1;
    public const int Usage = 2;
    public const int NotFound = 3;
    public const int NotAllowed = 4;
    public const int Conflict = 5;
    public const int TimedOut = 6;
    public const int Unreachable = 7;
    public const int Interrupted = 130;

    public static int Of(int status) => status switch
    {
        404 => NotFound,
        401 or 403 => NotAllowed,
        409 or 412 or 428 => Conflict,
        >= 500 => Unreachable,
        _ => Failed,
    };
}

/// <summary>A command ends with this message and exit code.</summary>
sealed class CommandException(int exitCode, string message) : Exception(message)
{
    public int ExitCode { get; } = exitCode;
}
