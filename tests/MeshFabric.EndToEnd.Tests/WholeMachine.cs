namespace MeshFabric.EndToEnd.Tests;

/// <summary>Tests of one collection run one after the other: that a lab leaves no trace is checked on the whole machine, so no other lab may come or go meanwhile.</summary>
static class WholeMachine
{
    public const string Name = "whole machine";
}
