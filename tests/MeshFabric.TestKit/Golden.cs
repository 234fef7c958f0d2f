using System.Runtime.CompilerServices;

namespace MeshFabric.TestKit;

/// <summary>Compares a text with a file that stands beside the test and is read by people. <c>UPDATE_GOLDEN=1</c> writes the file instead.</summary>
public static class Golden
{
    /// <param name="path">Relative to the calling test's file.</param>
    /// <exception cref="GoldenException">They differ; the message names the first line that does.</exception>
    public static void Check(string actual, string path, [CallerFilePath] string caller = "")
    {
        var file = Path.Combine(Path.GetDirectoryName(caller)!, path);
        var text = actual.ReplaceLineEndings("\n").TrimEnd('\n') + "\n";
        if (Environment.GetEnvironmentVariable("UPDATE_GOLDEN") == "1")
        {
            Directory.CreateDirectory(Path.GetDirectoryName(file)!);
            File.WriteAllText(file, text);
            return;
        }

        if (!File.Exists(file))
        {
            throw new GoldenException($"{file} is missing: run the test once with UPDATE_GOLDEN=1 and read what it writes");
        }

        var expected = File.ReadAllText(file);
        if (expected != text)
        {
            throw new GoldenException($"{file} differs: {FirstDifference(expected, text)}\nIf the new text is right, run with UPDATE_GOLDEN=1 and read the diff.");
        }
    }

    static string FirstDifference(string expected, string actual)
    {
        var wanted = expected.Split('\n');
        var got = actual.Split('\n');
        var line = wanted.Zip(got).TakeWhile(p => p.First == p.Second).Count();
        return $"line {line + 1}\n  file: {(line < wanted.Length ? wanted[line] : "(end)")}\n  test: {(line < got.Length ? got[line] : "(end)")}";
    }
}

public sealed class GoldenException(string message) : Exception(message);
