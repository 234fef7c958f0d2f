using System.Text.Json;

namespace MeshFabric.Control.Api;

/// <summary>What the JSON reader says, for people.</summary>
static class JsonErrors
{
    /// <summary>A JSON pointer (RFC 6901), and what is wrong there.</summary>
    public static (string Pointer, string Reason) Of(JsonException exception) => (Pointer(exception.Path), Reason(exception));

    static string Reason(JsonException exception)
    {
        var text = exception.Message;
        if (text.Contains("could not be mapped to any .NET member", StringComparison.Ordinal))
        {
            return "there is no such field";
        }

        if (text.Contains("could not be converted", StringComparison.Ordinal))
        {
            return "the value is of the wrong type";
        }

        // Of the reader's own messages only the first sentence is for people.
        var end = text.IndexOf(" Path:", StringComparison.Ordinal);
        return end > 0 ? text[..end] : text;
    }

    /// <summary>RFC 6901 from the serializer's path: <c>$.spec.podCidrs[0]</c> becomes <c>/spec/podCidrs/0</c>.</summary>
    static string Pointer(string? path)
    {
        var pointer = new System.Text.StringBuilder();
        var rest = (path ?? "$").AsSpan(1);
        while (!rest.IsEmpty)
        {
            int end;
            ReadOnlySpan<char> name;
            if (rest.StartsWith("['"))
            {
                end = rest.IndexOf("']");
                name = rest[2..end];
                end += 2;
            }
            else if (rest[0] == '[')
            {
                end = rest.IndexOf(']');
                name = rest[1..end];
                end++;
            }
            else
            {
                end = rest[1..].IndexOfAny('.', '[');
                end = end < 0 ? rest.Length : end + 1;
                name = rest[1..end];
            }

            pointer.Append('/').Append(Fields.Escape(name.ToString()));
            rest = rest[end..];
        }

        return pointer.ToString();
    }
}
