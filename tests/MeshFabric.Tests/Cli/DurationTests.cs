using MeshFabric.Cli;

namespace MeshFabric.Tests.Cli;

public sealed class DurationTests
{
    [Theory]
    [InlineData("0", 0)]
    [InlineData("90", 90)]
    [InlineData("45s", 45)]
    [InlineData("5m30s", 330)]
    [InlineData("5m", 300)]
    [InlineData("12h", 43_200)]
    [InlineData("7d", 604_800)]
    [InlineData("1d2h3m4s", 93_784)]
    [InlineData("500ms", 0.5)]
    [InlineData("1s500ms", 1.5)]
    public void Is_read_as_people_write_it(string text, double seconds)
    {
        Assert.True(Duration.TryParse(text, out var duration));
        Assert.Equal(seconds, duration.TotalSeconds);
    }

    [Theory]
    [InlineData("")]
    [InlineData("-1")]
    [InlineData("1.5s")]
    [InlineData("5 m")]
    [InlineData("30s5m")]
    [InlineData("1y")]
    [InlineData("400d")]
    [InlineData("99999999999")]
    [InlineData("soon")]
    public void Is_refused_otherwise(string text) => Assert.False(Duration.TryParse(text, out _));
}
