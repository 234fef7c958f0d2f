namespace MeshFabric.Cli.Output;

/// <summary>How objects of one kind are shown.</summary>
/// <param name="Name">What <c>-o name</c> prints: KIND/NAME.</param>
sealed record View<T>(Func<T, string> Name, params Column<T>[] Columns);

/// <param name="Wide">Only with <c>-o wide</c>.</param>
sealed record Column<T>(string Title, Func<T, string> Cell, bool Wide = false);
