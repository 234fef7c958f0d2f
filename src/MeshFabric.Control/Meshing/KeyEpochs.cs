using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;

namespace MeshFabric.Control.Meshing;

/// <summary>How epochs are numbered, and which is the newest.</summary>
public static class KeyEpochs
{
    static readonly DateTimeOffset Start = new(2026, 1, 1, 0, 0, 0, TimeSpan.Zero);

    /// <summary>By minutes, and so that none is given twice: a database that was restored from a backup does not know what was given out since.</summary>
    public static int Next(int last, DateTimeOffset now) => Math.Max(last + 1, Minutes(now));

    /// <summary>No epoch that was given out is above it; whoever says that it holds one makes it up.</summary>
    public static int Most(int newest, DateTimeOffset now) => Math.Max(newest, Minutes(now)) + 1000;

    /// <summary>Null before the first.</summary>
    public static Task<KeyEpochRow?> NewestAsync(MeshDbContext db, CancellationToken cancellationToken) =>
        db.KeyEpochs.AsNoTracking().OrderByDescending(e => e.Epoch).FirstOrDefaultAsync(cancellationToken);

    static int Minutes(DateTimeOffset now) => (int)Math.Max((now - Start).TotalMinutes, 0);
}
