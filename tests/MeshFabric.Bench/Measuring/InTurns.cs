using System.Globalization;

namespace MeshFabric.Bench.Measuring;

/// <summary>From a pod to a pod's address, in a lab of its own.</summary>
sealed record Way(string Name, Lab.Lab Lab, string From, string To);

/// <summary>What several ways carry, that are up at the same time and measured in turns, there and back again, so that what disturbs the machine disturbs all of them.</summary>
sealed class InTurns
{
    const int Seconds = 2;

    readonly IReadOnlyList<Way> _ways;
    readonly Dictionary<string, List<double>> _tcp;
    readonly Dictionary<string, List<double>> _trips;

    InTurns(IReadOnlyList<Way> ways) => (_ways, _tcp, _trips) = (ways, ways.ToDictionary(w => w.Name, _ => new List<double>()), ways.ToDictionary(w => w.Name, _ => new List<double>()));

    /// <summary>TCP, one stream, and round trips.</summary>
    public static async Task<InTurns> MeasureAsync(BenchmarkContext context, IReadOnlyList<Way> ways, CancellationToken cancellationToken)
    {
        var measured = new InTurns(ways);
        for (var round = 1; round <= context.Rounds; round++)
        {
            var means = await Rounds.ThereAndBackAsync(round, ways, w => Traffic.TcpAsync(w.Lab, w.From, w.To, Seconds, 1, cancellationToken));
            foreach (var (way, mean) in ways.Zip(means))
            {
                measured._tcp[way.Name].Add(mean);
            }

            foreach (var way in Rounds.Order(round, ways))
            {
                measured._trips[way.Name].AddRange(await Traffic.PingAsync(way.Lab, way.From, way.To, cancellationToken));
            }

            context.Say(string.Create(CultureInfo.InvariantCulture, $"round {round} of {context.Rounds}: {string.Join(", ", ways.Select(w => string.Create(CultureInfo.InvariantCulture, $"{w.Name} {measured._tcp[w.Name][^1]:0} Mbit/s")))}"));
        }

        return measured;
    }

    /// <summary>The median of the rounds' ratios.</summary>
    public double Ratio(string one, string other) => _tcp[one].Zip(_tcp[other], (a, b) => a / b).Median();

    /// <summary>Of each way by itself.</summary>
    public IEnumerable<Figure> Figures =>
    [
        .. _ways.Select(w => new Figure($"{w.Name}_tcp_median_mbps", _tcp[w.Name].Median())),
        .. _ways.Select(w => new Figure($"{w.Name}_ping_p50_ms", _trips[w.Name].Quantile(0.5))),
        .. _ways.Select(w => new Figure($"{w.Name}_ping_p99_ms", _trips[w.Name].Quantile(0.99))),
    ];
}
