namespace MeshFabric.Cni.Tests;

/// <summary>Labs follow each other: two at once would only slow each other down.</summary>
static class WholeMachine
{
    public const string Name = "whole machine";
}
