using MeshFabric.Schema;

namespace MeshFabric.Server.Tests.Schema;

/// <summary>So that no password need stand on a command line.</summary>
public sealed class ConnectionSourceTests : IDisposable
{
    readonly FileInfo _file = new(Path.GetTempFileName());

    public void Dispose() => _file.Delete();

    [Fact]
    public void The_option_wins_over_the_file_and_the_file_over_the_environment()
    {
        File.WriteAllText(_file.FullName, """{ "Api": {}, "Database": { "ConnectionString": "Host=file" } }""");

        Assert.Equal("Host=option", ConnectionSource.Find("Host=option", _file, _ => "Host=environment"));
        Assert.Equal("Host=file", ConnectionSource.Find(null, _file, _ => "Host=environment"));
        Assert.Equal("Host=environment", ConnectionSource.Find("", null, name => name == "MESHFABRIC_Database__ConnectionString" ? "Host=environment" : null));
        Assert.Null(ConnectionSource.Find(null, null, _ => null));
    }

    [Theory]
    [InlineData("{", "is not JSON")]
    [InlineData("[]", "has no text at Database:ConnectionString")]
    [InlineData("{}", "has no text at Database:ConnectionString")]
    [InlineData("""{ "Database": { "ConnectionString": null } }""", "has no text at Database:ConnectionString")]
    [InlineData("""{ "Database": { "ConnectionString": 5 } }""", "has no text at Database:ConnectionString")]
    public void A_file_without_a_database_is_named(string text, string message)
    {
        File.WriteAllText(_file.FullName, text);

        var e = Assert.Throws<FormatException>(() => ConnectionSource.Find(null, _file, _ => "Host=environment"));

        Assert.Contains($"{_file.FullName} {message}", e.Message, StringComparison.Ordinal);
    }
}
