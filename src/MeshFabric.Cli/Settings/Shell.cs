namespace MeshFabric.Cli;

/// <summary>Where the program runs: its streams, whether they are a terminal, and its environment. Tests bring their own.</summary>
/// <param name="Width">Columns of the terminal.</param>
sealed record Shell(TextWriter Out, TextWriter Error, TextReader In, bool OutputIsTerminal, bool InputIsTerminal, int Width, Func<string, string?> Variable, TimeProvider Time)
{
    public static Shell OfProcess() => new(
        Console.Out,
        Console.Error,
        Console.In,
        !Console.IsOutputRedirected,
        !Console.IsInputRedirected,
        Console.IsOutputRedirected ? int.MaxValue : Math.Max(Console.WindowWidth, 40),
        Environment.GetEnvironmentVariable,
        TimeProvider.System);

    /// <summary>A variable of the environment; an empty one counts as not set.</summary>
    public string? Given(string name) => Variable(name) is { Length: > 0 } value ? value : null;

    /// <summary>A secret typed by a person, without showing it.</summary>
    public async Task<string> ReadSecretAsync(string prompt, CancellationToken cancellationToken)
    {
        await Error.WriteAsync(prompt);
        if (In != Console.In)
        {
            return (await In.ReadLineAsync(cancellationToken) ?? "").Trim();
        }

        var typed = new System.Text.StringBuilder();
        for (var key = Console.ReadKey(intercept: true); key.Key != ConsoleKey.Enter; key = Console.ReadKey(intercept: true))
        {
            if (key.Key == ConsoleKey.Backspace)
            {
                typed.Length = Math.Max(typed.Length - 1, 0);
            }
            else if (!char.IsControl(key.KeyChar))
            {
                typed.Append(key.KeyChar);
            }
        }

        await Error.WriteLineAsync();
        return typed.ToString().Trim();
    }
}
