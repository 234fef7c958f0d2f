using Xunit.Sdk;
using Xunit.v3;

namespace MeshFabric.Cni.Tests.Matrix;

/// <summary>Plug-in by plug-in, check by check: a cluster joins once and leaves once. A runner that takes the theory as one case asks in the listed order anyway.</summary>
public sealed class AsListed : ITestCaseOrderer
{
    public IReadOnlyCollection<TTestCase> OrderTestCases<TTestCase>(IReadOnlyCollection<TTestCase> testCases)
        where TTestCase : notnull, ITestCase
    {
        var cells = MatrixTests.Cells.Select(c => $"(plugin: \"{c.Data.Item1}\", check: \"{c.Data.Item2}\")").ToList();
        return [.. testCases.OrderBy(c => cells.FindIndex(cell => c.TestCaseDisplayName.EndsWith(cell, StringComparison.Ordinal)))];
    }
}
