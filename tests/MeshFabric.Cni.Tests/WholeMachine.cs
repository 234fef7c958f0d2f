namespace MeshFabric.Cni.Tests;

/// <summary>Labs follow each other: two at once would only slow each other down.</summary>
static class WholeMachine
{
    public const string Name = "whole machine";

    /// <summary>A name for a lab that another run of the tests on this machine does not have.</summary>
    public static string LabName(string prefix) => $"{prefix}{Environment.ProcessId}";
}
