using System.Xml.Linq;

namespace MeshFabric.Cli.Verifying;

/// <summary>A verification as JUnit XML, as continuous integration reads it: one suite per category.</summary>
static class JUnit
{
    public static string Write(Verification verification)
    {
        var suites = verification.Checks.GroupBy(c => c.Category).Select(category => new XElement("testsuite",
            new XAttribute("name", category.Key),
            new XAttribute("tests", category.Count()),
            new XAttribute("failures", category.Count(c => c.Result == CheckResult.Failed)),
            new XAttribute("errors", 0),
            new XAttribute("skipped", category.Count(c => c.Result == CheckResult.Skipped)),
            category.Select(Case)));
        var document = new XElement("testsuites",
            new XAttribute("name", $"mfctl verify {verification.A} {verification.B}"),
            new XAttribute("tests", verification.Checks.Count),
            new XAttribute("failures", verification.Checks.Count(c => c.Result == CheckResult.Failed)),
            suites);
        return $"""<?xml version="1.0" encoding="utf-8"?>{"\n"}{document.ToString().ReplaceLineEndings("\n")}""";
    }

    static XElement Case(Check check) => new("testcase",
        new XAttribute("classname", $"verify.{check.Category}"),
        new XAttribute("name", Xml(check.Name)),
        check.Result switch
        {
            CheckResult.Failed => new XElement("failure", new XAttribute("message", Xml(check.Detail)), check.Hint),
            CheckResult.Skipped => new XElement("skipped", new XAttribute("message", Xml(check.Detail))),
            CheckResult.Warning => new XElement("system-out", Xml($"warning: {check.Detail} {check.Hint}")),
            _ => null,
        });

    // Control characters cannot be written in XML 1.0.
    static string Xml(string text) => Output.Printer.Clean(text);
}
