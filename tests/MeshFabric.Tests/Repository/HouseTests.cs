using System.Text.RegularExpressions;
using System.Xml.Linq;
using MeshFabric.Control.Setup;
using YamlDotNet.RepresentationModel;

namespace MeshFabric.Tests.Repository;

/// <summary>What the pages say of the repository is so.</summary>
public sealed partial class HouseTests
{
    [Fact]
    public void Projects_reference_what_the_architecture_page_says_and_nothing_else()
    {
        var page = ProjectRow().Matches(Repo.Text("docs/architecture.md")).ToDictionary(
            m => m.Groups["project"].Value.Split('/')[^1],
            m => m.Groups["references"].Value.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries).Select(r => $"MeshFabric.{r}").Order(StringComparer.Ordinal).ToArray());
        var code = new[] { "src", "migrations" }.SelectMany(f => Directory.GetFiles(Path.Combine(Repo.Root, f), "*.csproj", SearchOption.AllDirectories)).ToDictionary(
            f => Path.GetFileNameWithoutExtension(f),
            f => XDocument.Load(f).Descendants("ProjectReference").Select(r => Path.GetFileNameWithoutExtension(r.Attribute("Include")!.Value.Replace('\\', '/'))).Order(StringComparer.Ordinal).ToArray());
        Assert.Equal(code.Keys.Order(StringComparer.Ordinal), page.Keys.Order(StringComparer.Ordinal));
        foreach (var (project, references) in code)
        {
            Assert.True(page[project].SequenceEqual(references), $"{project} references {string.Join(", ", references)}; docs/architecture.md says {string.Join(", ", page[project])}");
        }
    }

    [Fact]
    public void Links_between_the_pages_lead_somewhere()
    {
        var pages = Directory.GetFiles(Repo.Root, "*.md").Concat(new[] { "docs", "deploy", "src", "tests", "migrations" }.SelectMany(f => Directory.GetFiles(Path.Combine(Repo.Root, f), "*.md", SearchOption.AllDirectories)));
        var broken = pages.SelectMany(page => Link().Matches(File.ReadAllText(page)).Select(m => m.Groups["target"].Value)
            .Where(t => !t.Contains("://", StringComparison.Ordinal) && !t.StartsWith('#'))
            .Where(t => !Path.Exists(Path.Combine(Path.GetDirectoryName(page)!, t.Split('#')[0])))
            .Select(t => $"{Path.GetRelativePath(Repo.Root, page)} -> {t}"));
        Assert.Empty(broken);
    }

    [Fact]
    public void Every_project_and_every_decision_is_listed()
    {
        Assert.All(Directory.GetDirectories(Path.Combine(Repo.Root, "src")), d => Assert.True(File.Exists(Path.Combine(d, "README.md")), $"{d} has no README.md"));
        var index = Repo.Text("docs/adr/README.md");
        Assert.All(Directory.GetFiles(Path.Combine(Repo.Root, "docs", "adr"), "0*.md"), f => Assert.Contains(Path.GetFileName(f), index, StringComparison.Ordinal));
    }

    /// <summary>No container runs in the tests; what can be held without one is that files and settings exist.</summary>
    [Fact]
    public void The_compose_file_names_files_and_settings_that_exist()
    {
        var yaml = new YamlStream();
        yaml.Load(new StringReader(Repo.Text("docker-compose.yml")));
        var services = (YamlMappingNode)yaml.Documents[0].RootNode["services"];
        Assert.Equal(["pki", "permissions", "postgres", "rabbitmq", "schema", "control"], services.Children.Keys.Select(k => ((YamlScalarNode)k).Value!));
        var settings = ((YamlMappingNode)services["control"]["environment"]).Children.Keys.Select(k => ((YamlScalarNode)k).Value!["MESHFABRIC_".Length..].Split("__"));
        Assert.All(settings, s => Assert.NotNull(typeof(DatabaseOptions).Assembly.GetType($"MeshFabric.Control.Setup.{s[0]}Options")?.GetProperty(s[1])));
        var mounted = HostFile().Matches(Repo.Text("docker-compose.yml")).Select(m => m.Groups["file"].Value).Append("deploy/docker/Dockerfile");
        Assert.All(mounted, f => Assert.True(File.Exists(Path.Combine(Repo.Root, f)), f));
        var projects = Published().Matches(Repo.Text("deploy/docker/Dockerfile")).Select(m => m.Value);
        Assert.All(projects, p => Assert.True(Directory.Exists(Path.Combine(Repo.Root, p)), p));
    }

    [GeneratedRegex(@"^\| `(?<project>(?:migrations/)?MeshFabric\.[A-Za-z]+)` \|(?<references>[^|]*)\|", RegexOptions.Multiline)]
    private static partial Regex ProjectRow();

    [GeneratedRegex(@"\]\((?<target>[^)\s]+)\)")]
    private static partial Regex Link();

    [GeneratedRegex(@"- \./(?<file>[^:]+):")]
    private static partial Regex HostFile();

    [GeneratedRegex(@"(?:src|migrations)/MeshFabric\.[A-Za-z]+")]
    private static partial Regex Published();
}
