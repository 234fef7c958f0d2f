using System.CommandLine;
using MeshFabric.Bench;
using MeshFabric.Lab.Processes;

IBenchmark[] all = [new ThroughputBenchmark(), new RemapBenchmark(), new JoinBenchmark(), new PlannerBenchmark(), new FactsBenchmark(), new DriftBenchmark(), new NodesBenchmark(), new LeavesBenchmark(), new FailoverBenchmark(), new GatewaysBenchmark(), new HubsBenchmark(), new DevicesBenchmark(), new RotationBenchmark(), new CutOffBenchmark(), new NatBenchmark()];
var names = new Argument<string[]>("name") { Description = $"Which to run (default: all): {string.Join(", ", all.Select(b => b.Name))}", Arity = ArgumentArity.ZeroOrMore };
names.AcceptOnlyFromAmong([.. all.Select(b => b.Name)]);
var programs = new Option<string>("--programs") { Description = "Directory with the product's programs", DefaultValueFactory = _ => "out" };
var page = new Option<string>("--page") { Description = "Where results are written", DefaultValueFactory = _ => "docs/benchmarks.md" };
var rounds = new Option<int>("--rounds") { Description = "How often each comparison is repeated", DefaultValueFactory = _ => 9 };
var root = new RootCommand("Measures MeshFabric side by side with its peers.\n\nExamples:\n  mfbench\n  mfbench throughput --rounds 15") { names, programs, page, rounds };
root.SetAction(async (result, cancellationToken) =>
{
    var wanted = result.GetValue(names) is { Length: > 0 } some ? all.Where(b => some.Contains(b.Name)) : all;
    var (missed, failed) = (0, 0);
    foreach (var benchmark in wanted)
    {
        Console.WriteLine($"== {benchmark.Name}");
        try
        {
            var context = new BenchmarkContext(Path.GetFullPath(result.GetValue(programs)!), Math.Max(result.GetValue(rounds), 1), text => Console.WriteLine($"   {text}"));
            var figures = await benchmark.RunAsync(context, cancellationToken);
            new BenchmarksPage(result.GetValue(page)!).Write(benchmark, figures, context.Rounds, TimeProvider.System.GetUtcNow());
            foreach (var figure in figures)
            {
                Console.WriteLine($"   {figure.Name,-44} {figure.Text,10} {figure.Limit} {(figure.IsReached is false ? "MISSED" : "")}".TrimEnd());
            }

            missed += figures.Count(f => f.IsReached is false);
            Console.WriteLine(ResultLine.Of(benchmark.Name, figures));
        }
        catch (Exception e) when (e is LabException or TimeoutException or InvalidOperationException or IOException)
        {
            failed++;
            await Console.Error.WriteLineAsync($"mfbench: {benchmark.Name}: {e.Message}");
        }
    }

    if (missed > 0)
    {
        await Console.Error.WriteLineAsync($"mfbench: {missed} figures missed their limit; a noisy machine can do that: run again, or with more --rounds");
    }

    return failed > 0 ? 1 : 0;
});
// An interrupted run takes its labs down, which takes longer than the two seconds that it would be given.
return await root.Parse(args).InvokeAsync(new InvocationConfiguration { ProcessTerminationTimeout = TimeSpan.FromMinutes(2) });
