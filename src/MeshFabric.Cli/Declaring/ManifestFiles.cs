using System.Text.Json;
using System.Text.Json.Nodes;
using MeshFabric.Contracts.Http;
using YamlDotNet.Core;
using YamlDotNet.Core.Events;
using YamlDotNet.Serialization;

namespace MeshFabric.Cli.Declaring;

/// <summary>Reads manifests from YAML (or JSON, which is YAML): several files, several documents in one. What they say the server checks.</summary>
static class ManifestFiles
{
    static readonly IDeserializer Yaml = new DeserializerBuilder().WithAttemptingUnquotedStringTypeDeserialization().WithDuplicateKeyChecking().Build();

    /// <param name="files">- is standard input.</param>
    /// <exception cref="CommandException">A file cannot be read, is no YAML, or has no manifest in it.</exception>
    public static async Task<IReadOnlyList<Manifest>> ReadAsync(IReadOnlyList<string> files, TextReader input, CancellationToken cancellationToken)
    {
        var manifests = new List<Manifest>();
        foreach (var file in files)
        {
            var found = Parse(await TextAsync(file, input, cancellationToken), file);
            manifests.AddRange(found.Count > 0 ? found : throw CommandException.Usage($"{file} has no manifest in it: it must begin with 'apiVersion: {Api.Version}' and 'kind: Topology' or 'kind: Cluster'"));
        }

        return manifests;
    }

    static async Task<string> TextAsync(string file, TextReader input, CancellationToken cancellationToken)
    {
        try
        {
            return file == "-" ? await input.ReadToEndAsync(cancellationToken) : await File.ReadAllTextAsync(file, cancellationToken);
        }
        catch (Exception e) when (e is IOException or UnauthorizedAccessException)
        {
            throw CommandException.Usage($"{file} cannot be read: {e.Message}");
        }
    }

    static List<Manifest> Parse(string text, string file)
    {
        var manifests = new List<Manifest>();
        try
        {
            RefuseAliases(text, file);
            var parser = new Parser(new StringReader(text));
            parser.Consume<StreamStart>();
            while (parser.TryConsume<DocumentStart>(out var start))
            {
                // A document of nothing but comments, or between two separators.
                if (!parser.Accept<DocumentEnd>(out _) && Yaml.Deserialize(parser) is { } document)
                {
                    manifests.Add(Manifest(JsonSerializer.SerializeToNode(document) as JsonObject, $"{file}, line {start.Start.Line}"));
                }

                parser.Consume<DocumentEnd>();
            }
        }
        catch (YamlException e)
        {
            throw CommandException.Usage($"{file}, line {e.Start.Line}: {e.InnerException?.Message ?? e.Message}");
        }
        catch (Exception e) when (e is JsonException or NotSupportedException or ArgumentException)
        {
            // What YAML can say and JSON cannot: a key that is no text, a number that is none.
            throw CommandException.Usage($"{file}: {e.Message}");
        }

        return manifests;
    }

    // They can name themselves, and grow without end.
    static void RefuseAliases(string text, string file)
    {
        var parser = new Parser(new StringReader(text));
        while (parser.MoveNext())
        {
            if (parser.Current is AnchorAlias alias)
            {
                throw CommandException.Usage($"{file}, line {alias.Start.Line}: *{alias.Value} cannot be used here; write out what it stands for");
            }
        }
    }

    static Manifest Manifest(JsonObject? document, string where)
    {
        // What mfctl topology get -o yaml prints can be edited and applied; what was seen of the object is not declared.
        document?.Remove("status");
        (document?["metadata"] as JsonObject)?.Remove("uid");
        (document?["metadata"] as JsonObject)?.Remove("resourceVersion");
        (document?["metadata"] as JsonObject)?.Remove("createdAt");
        try
        {
            return document?.Deserialize<Manifest>(MeshJson.Options) ?? throw CommandException.Usage($"{where}: a manifest is needed, with apiVersion, kind, metadata and spec");
        }
        catch (JsonException e)
        {
            throw CommandException.Usage($"{where}: {(e.Path is { Length: > 2 } path ? $"{path[2..]}: " : "")}{(e.Message.Contains("could not be mapped", StringComparison.Ordinal) ? "there is no such field" : "the value is of the wrong type (quote what is meant as text)")}");
        }
    }
}
