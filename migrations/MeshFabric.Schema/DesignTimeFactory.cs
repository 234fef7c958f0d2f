using MeshFabric.Persistence;
using Microsoft.EntityFrameworkCore;
using Microsoft.EntityFrameworkCore.Design;

namespace MeshFabric.Schema;

/// <summary>For <c>dotnet ef migrations add</c>; connects to nothing.</summary>
public sealed class DesignTimeFactory : IDesignTimeDbContextFactory<MeshDbContext>
{
    public MeshDbContext CreateDbContext(string[] args)
    {
        var options = new DbContextOptionsBuilder<MeshDbContext>();
        MeshDatabase.Configure(options, "Host=design-time");
        return new MeshDbContext(options.Options);
    }
}
