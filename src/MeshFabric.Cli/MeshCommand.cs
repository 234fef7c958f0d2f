using System.CommandLine;

namespace MeshFabric.Cli;

/// <summary>A command whose help ends with examples.</summary>
sealed class MeshCommand : Command
{
    public MeshCommand(string name, string description, params string[] examples)
        : base(name, description) => Examples = examples;

    public IReadOnlyList<string> Examples { get; }

    /// <summary>Values of --output beyond the usual ones.</summary>
    public IReadOnlyList<string> ExtraFormats { get; init; } = [];
}
