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
    public const int PartlyDone = 8;
    public const int Interrupted = 130;

    /// <summary>For people; docs/cli.md prints it.</summary>
    public static readonly IReadOnlyList<(int Code, string Meaning)> Meanings =
    [
        (Ok, "done"),
        (Failed, "the operation or a check failed"),
        (Usage, "usage: the command line, or a value in it, cannot be used"),
        (NotFound, "there is no such object"),
        (NotAllowed, "not logged in, or the token may not do that"),
        (Conflict, "conflict with what is there, or a precondition is not met"),
        (TimedOut, "timed out; what was still missing is printed"),
        (Unreachable, "the control service or a cluster's API cannot be reached; its address and port are printed"),
        (PartlyDone, "partly done; what is left to do is printed"),
        (Interrupted, "interrupted"),
    ];

    /// <summary>Of an answer of the API.</summary>
    public static int Of(int status) => status switch
    {
        400 or 413 or 415 or 422 => Usage,
        401 or 403 => NotAllowed,
        404 => NotFound,
        409 or 412 or 428 => Conflict,
        502 or 503 or 504 => Unreachable,
        _ => Failed,
    };
}

/// <summary>A command ends with this message and exit code.</summary>
/// <param name="next">What to run next; empty when the message says it.</param>
sealed class CommandException(int exitCode, string message, string next = "") : Exception(message)
{
    public int ExitCode { get; } = exitCode;

    public string Next { get; } = next;

    public static CommandException Usage(string message) => new(MeshFabric.Cli.ExitCode.Usage, message);
}
