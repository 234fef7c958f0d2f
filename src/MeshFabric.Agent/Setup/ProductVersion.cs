using System.Reflection;

namespace MeshFabric.Agent.Setup;

static class ProductVersion
{
    public static readonly string Text = typeof(ProductVersion).Assembly.GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? "unknown";
}
