namespace MeshFabric.Agent.Kubernetes;

/// <summary>The cluster's API cannot be used as configured; the message says what to do.</summary>
public sealed class KubernetesInventoryException(string message, Exception? cause = null) : Exception(message, cause);
