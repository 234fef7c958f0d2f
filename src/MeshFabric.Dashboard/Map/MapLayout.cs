using MeshFabric.Contracts.Http;

namespace MeshFabric.Dashboard.Map;

/// <summary>Where each cluster stands on the map. Pure, and the same for the same clusters: people find a cluster where it was yesterday.</summary>
/// <remarks>On an ellipse, ordered by provider and region, for no line between two points of an ellipse passes a third: what a line joins can always be seen.</remarks>
/// <param name="HasCards">Each has a card, not a point.</param>
public sealed record MapLayout(bool HasCards, IReadOnlyList<MapPlace> Places, IReadOnlyList<MapGroup> Groups)
{
    public const int Width = 1000;
    public const int Height = 680;
    public const int CardWidth = 170;
    public const int CardHeight = 56;

    /// <summary>As many clusters as have room for a card; more are points with their names around.</summary>
    public const int MostCards = 10;

    /// <summary>As many points as have room for their names; of more, names are shown of those that are not as they should be, and of the one that is pointed at.</summary>
    public const int MostNames = 90;

    const double CenterX = Width / 2.0;
    const double CenterY = Height / 2.0;

    // Of one cluster's share of the ellipse: what is left free between two regions and between two providers.
    const double RegionGap = 0.5;
    const double ProviderGap = 1.0;

    public static MapLayout Of(IEnumerable<ClusterResource> clusters)
    {
        var ordered = clusters.OrderBy(c => c.Spec.Provider, StringComparer.Ordinal).ThenBy(c => c.Spec.Region, StringComparer.Ordinal).ThenBy(c => c.Metadata.Name, StringComparer.Ordinal).ToList();
        var cards = ordered.Count <= MostCards;
        // Around points there is room for the longest name, where names are shown, and for the names of the groups.
        var (radiusX, radiusY) = cards ? (CenterX - (CardWidth / 2.0) - 10, CenterY - (CardHeight / 2.0) - 30) : ordered.Count <= MostNames ? (CenterX - 240, CenterY - 170) : (CenterX - 150, CenterY - 90);
        var slots = Slots(ordered, cards ? 0 : 1);
        var total = slots.Count == 0 ? 1 : slots[^1].End;
        var places = slots.Select(s =>
        {
            var angle = (2 * Math.PI * ((s.Start + s.End) / 2) / total) - (Math.PI / 2);
            return new MapPlace(s.Cluster, CenterX + (radiusX * Math.Cos(angle)), CenterY + (radiusY * Math.Sin(angle)), angle);
        }).ToList();
        return new MapLayout(cards, places, cards ? [] : Around(places, radiusX, radiusY));
    }

    /// <summary>All names have room.</summary>
    public bool HasNames => Places.Count <= MostNames;

    /// <summary>Of a point.</summary>
    public double Radius => Math.Clamp(420.0 / Math.Max(1, Places.Count), 2.5, 7);

    /// <summary>A line that bends towards the middle, so that lines between neighbours do not lie on top of the ellipse.</summary>
    public static string Curve(MapPlace a, MapPlace b)
    {
        var (x, y) = Bend(a, b);
        return string.Create(System.Globalization.CultureInfo.InvariantCulture, $"M{a.X:0.#},{a.Y:0.#} Q{x:0.#},{y:0.#} {b.X:0.#},{b.Y:0.#}");
    }

    /// <summary>The middle of <see cref="Curve"/>.</summary>
    public static (double X, double Y) Middle(MapPlace a, MapPlace b)
    {
        var (x, y) = Bend(a, b);
        return ((((a.X + b.X) / 2) + x) / 2, (((a.Y + b.Y) / 2) + y) / 2);
    }

    // The control point of a quadratic Bézier curve.
    static (double X, double Y) Bend(MapPlace a, MapPlace b)
    {
        const double Straightness = 0.55;
        return (CenterX + ((((a.X + b.X) / 2) - CenterX) * Straightness), CenterY + ((((a.Y + b.Y) / 2) - CenterY) * Straightness));
    }

    static List<(ClusterResource Cluster, double Start, double End)> Slots(List<ClusterResource> ordered, double gaps)
    {
        var slots = new List<(ClusterResource, double, double)>();
        var at = 0.0;
        for (var i = 0; i < ordered.Count; i++)
        {
            var gap = i == 0 ? 0 : ordered[i].Spec.Provider != ordered[i - 1].Spec.Provider ? ProviderGap : ordered[i].Spec.Region != ordered[i - 1].Spec.Region ? RegionGap : 0;
            at += gap * gaps;
            slots.Add((ordered[i], at, at + 1));
            at++;
        }

        return slots;
    }

    static List<MapGroup> Around(List<MapPlace> places, double radiusX, double radiusY)
    {
        var outside = places.Count <= MostNames ? 150 : 50;
        return places.GroupBy(p => (p.Cluster.Spec.Provider, p.Cluster.Spec.Region)).Select(g =>
        {
            var angle = (g.First().Angle + g.Last().Angle) / 2;
            return new MapGroup(g.Key.Provider, g.Key.Region, CenterX + ((radiusX + outside + 20) * Math.Cos(angle)), CenterY + ((radiusY + outside - 15) * Math.Sin(angle)));
        }).ToList();
    }
}

/// <param name="Angle">Radians, clockwise from the right.</param>
public sealed record MapPlace(ClusterResource Cluster, double X, double Y, double Angle);

/// <summary>The name of a provider and region beside its clusters.</summary>
public sealed record MapGroup(string Provider, string Region, double X, double Y);
