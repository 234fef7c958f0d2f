using System.Reflection;

namespace MeshFabric.ServiceDefaults;

/// <summary>The version that every program of this build reports.</summary>
public static class ProductVersion
{
    public static readonly string Current =
        typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
