using System.Text.Json;
using MeshFabric.Domain.Clusters;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Metadata.Builders;
using Microsoft.EntityFrameworkCore.Storage.ValueConversion;

namespace MeshFabric.Persistence;

/// <summary>The mesh in PostgreSQL. Used directly, without repositories.</summary>
public sealed class MeshDbContext(DbContextOptions<MeshDbContext> options) : DbContext(options)
{
    /// <summary>Channel of LISTEN/NOTIFY: the facts changed. Payload is empty; it only wakes.</summary>
    public const string FactsChannel = "meshfabric_facts";

    public DbSet<MeshRow> Mesh => Set<MeshRow>();
    public DbSet<ClusterRow> Clusters => Set<ClusterRow>();
    public DbSet<TombstoneRow> Tombstones => Set<TombstoneRow>();
    public DbSet<RemovedGatewayRow> RemovedGateways => Set<RemovedGatewayRow>();
    public DbSet<PrefixRow> Prefixes => Set<PrefixRow>();
    public DbSet<GatewayRow> Gateways => Set<GatewayRow>();
    public DbSet<KeyEpochRow> KeyEpochs => Set<KeyEpochRow>();
    public DbSet<TunnelReportRow> TunnelReports => Set<TunnelReportRow>();
    public DbSet<JoinTokenRow> JoinTokens => Set<JoinTokenRow>();
    public DbSet<ApiTokenRow> ApiTokens => Set<ApiTokenRow>();
    public DbSet<EventRow> Events => Set<EventRow>();
    public DbSet<AuditRow> Audit => Set<AuditRow>();
    public DbSet<ProbeRow> Probes => Set<ProbeRow>();
    public DbSet<ProbeAnswerRow> ProbeAnswers => Set<ProbeAnswerRow>();

    protected override void OnModelCreating(ModelBuilder modelBuilder)
    {
        modelBuilder.Entity<MeshRow>(e =>
        {
            e.ToTable("mesh");
            e.Property(r => r.Id).ValueGeneratedNever();
            Json(e.Property(r => r.Settings));
        });
        modelBuilder.Entity<ClusterRow>(e =>
        {
            e.ToTable("clusters");
            e.HasIndex(r => r.Name).IsUnique();
            e.HasIndex(r => r.FactsRevision);
            e.Property(r => r.Version).IsRowVersion();
            e.Property(r => r.Kind).HasConversion<string>();
            e.Property(r => r.Granularity).HasConversion<string>().HasDefaultValue(Granularity.Gateway);
            Json(e.Property(r => r.Labels));
            Json(e.Property(r => r.DeclaredLabels));
            Json(e.Property(r => r.Nodes));
            Json(e.Property(r => r.Networking));
            Json(e.Property(r => r.Findings));
            e.HasMany(r => r.Prefixes).WithOne().HasForeignKey(p => p.ClusterId).OnDelete(DeleteBehavior.Cascade);
            e.HasMany(r => r.Gateways).WithOne(g => g.Cluster).HasForeignKey(g => g.ClusterId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<TombstoneRow>(e =>
        {
            e.ToTable("tombstones");
            e.HasKey(r => r.ClusterId);
            e.HasIndex(r => r.Revision);
        });
        modelBuilder.Entity<RemovedGatewayRow>(e =>
        {
            e.ToTable("removed_gateways");
            e.HasKey(r => r.GatewayId);
        });
        modelBuilder.Entity<PrefixRow>(e =>
        {
            e.ToTable("prefixes");
            e.Property(r => r.Role).HasConversion<string>();
            e.HasIndex(r => r.ClusterId);
        });
        modelBuilder.Entity<GatewayRow>(e =>
        {
            e.ToTable("gateways");
            e.HasIndex(r => new { r.ClusterId, r.Name }).IsUnique();
            // All leaves have the same.
            e.HasIndex(r => new { r.ClusterId, r.Ordinal }).IsUnique().HasFilter($"ordinal < {GatewayFacts.LeafOrdinal}");
            e.Ignore(r => r.IsLeaf);
            e.HasIndex(r => r.PublicKey).IsUnique();
            Json(e.Property(r => r.Findings));
            Json(e.Property(r => r.ObservedEndpoints));
            Json(e.Property(r => r.Relays));
            e.Property(r => r.Actual).HasColumnType("jsonb");
        });
        modelBuilder.Entity<KeyEpochRow>(e =>
        {
            e.ToTable("key_epochs");
            e.HasKey(r => r.Epoch);
            e.Property(r => r.Epoch).ValueGeneratedNever();
        });
        modelBuilder.Entity<TunnelReportRow>(e =>
        {
            e.ToTable("tunnel_reports");
            e.HasKey(r => new { r.GatewayId, r.PeerCluster, r.PeerGateway });
            e.HasOne<GatewayRow>().WithMany().HasForeignKey(r => r.GatewayId).OnDelete(DeleteBehavior.Cascade);
            e.Property(r => r.State).HasConversion<string>();
            Json(e.Property(r => r.Report));
        });
        modelBuilder.Entity<JoinTokenRow>().ToTable("join_tokens");
        modelBuilder.Entity<ApiTokenRow>().ToTable("api_tokens");
        modelBuilder.Entity<EventRow>(e =>
        {
            e.ToTable("events");
            e.HasKey(r => r.Sequence);
        });
        modelBuilder.Entity<AuditRow>(e =>
        {
            e.ToTable("audit_records");
            e.HasKey(r => r.Sequence);
            e.Property(r => r.Before).HasColumnType("jsonb");
            e.Property(r => r.After).HasColumnType("jsonb");
        });
        modelBuilder.Entity<ProbeRow>(e =>
        {
            e.ToTable("probes");
            e.HasMany(r => r.Answers).WithOne().HasForeignKey(a => a.ProbeId).OnDelete(DeleteBehavior.Cascade);
        });
        modelBuilder.Entity<ProbeAnswerRow>(e =>
        {
            e.ToTable("probe_answers");
            e.HasKey(r => new { r.ProbeId, r.GatewayId });
            e.Property(r => r.Results).HasColumnType("jsonb");
        });
        SnakeCase(modelBuilder);
    }

    static void Json<T>(PropertyBuilder<T> property)
    {
        property.HasColumnType("jsonb");
        property.HasConversion(
            new ValueConverter<T, string>(v => JsonSerializer.Serialize(v, JsonSerializerOptions.Web), s => JsonSerializer.Deserialize<T>(s, JsonSerializerOptions.Web)!),
            new Microsoft.EntityFrameworkCore.ChangeTracking.ValueComparer<T>(
                (a, b) => JsonSerializer.Serialize(a, JsonSerializerOptions.Web) == JsonSerializer.Serialize(b, JsonSerializerOptions.Web),
                v => JsonSerializer.Serialize(v, JsonSerializerOptions.Web).GetHashCode(StringComparison.Ordinal),
                v => JsonSerializer.Deserialize<T>(JsonSerializer.Serialize(v, JsonSerializerOptions.Web), JsonSerializerOptions.Web)!));
    }

    static void SnakeCase(ModelBuilder modelBuilder)
    {
        foreach (var property in modelBuilder.Model.GetEntityTypes().SelectMany(e => e.GetProperties()).Where(p => p.Name != nameof(ClusterRow.Version)))
        {
            property.SetColumnName(string.Concat(property.Name.Select((c, i) => char.IsUpper(c) ? (i > 0 ? "_" : "") + char.ToLowerInvariant(c) : c.ToString())));
        }
    }
}
