using System.ComponentModel.DataAnnotations;

namespace MeshFabric.Control.Setup;

/// <summary>Section <c>Database</c>.</summary>
public sealed class DatabaseOptions
{
    /// <summary>Npgsql connection string; several hosts separated by commas for failover.</summary>
    [Required(ErrorMessage = "Database:ConnectionString is missing: set MESHFABRIC_Database__ConnectionString")]
    public string ConnectionString { get; set; } = "";
}

/// <summary>Section <c>Broker</c>: RabbitMQ.</summary>
public sealed class BrokerOptions
{
    [Required(ErrorMessage = "Broker:Host is missing: set MESHFABRIC_Broker__Host")]
    public string Host { get; set; } = "";

    /// <summary>AMQPS port.</summary>
    [Range(1, 65535)]
    public int Port { get; set; } = 5671;

    public string VirtualHost { get; set; } = "/";

    /// <summary>Base URL of the management API, for provisioning agents.</summary>
    [Required(ErrorMessage = "Broker:ManagementUrl is missing: set MESHFABRIC_Broker__ManagementUrl, such as http://127.0.0.1:15672")]
    public string ManagementUrl { get; set; } = "";

    public string Username { get; set; } = "admin";

    public string Password { get; set; } = "";

    /// <summary>Read instead of <see cref="Password"/> when set.</summary>
    public string PasswordFile { get; set; } = "";

    /// <summary>What agents are told to dial; default: <see cref="Host"/>.</summary>
    public string AgentHost { get; set; } = "";

    /// <summary>What agents are told to dial; default: <see cref="Port"/>.</summary>
    [Range(0, 65535)]
    public int AgentPort { get; set; }

    public string Secret() => PasswordFile.Length > 0 ? File.ReadAllText(PasswordFile).Trim() : Password;

    public Contracts.Http.BrokerAddress ForAgents() => new(AgentHost.Length > 0 ? AgentHost : Host, AgentPort > 0 ? AgentPort : Port, VirtualHost);
}

/// <summary>Section <c>Pki</c>.</summary>
public sealed class PkiOptions
{
    /// <summary>Holds ca.crt, ca.key, control.crt, control.key; made by <c>meshfabric-control pki create</c>.</summary>
    [Required(ErrorMessage = "Pki:Directory is missing: run 'meshfabric-control pki create --directory DIR --name HOST' and set MESHFABRIC_Pki__Directory")]
    public string Directory { get; set; } = "";
}

/// <summary>Section <c>Api</c>.</summary>
public sealed class ApiOptions
{
    /// <summary>Addresses to listen on, separated by semicolons.</summary>
    public string Listen { get; set; } = "https://0.0.0.0:8443";

    /// <summary>How agents and people reach this service; goes into join tokens.</summary>
    [Required(ErrorMessage = "Api:PublicUrl is missing: set MESHFABRIC_Api__PublicUrl, such as https://mesh.example.org:8443")]
    [Url]
    public string PublicUrl { get; set; } = "";
}

/// <summary>Section <c>Keys</c>.</summary>
public sealed class KeysOptions
{
    /// <summary>Days after which all pre-shared keys are renewed; 0: only when somebody asks, or is removed.</summary>
    [Range(0, 3650, ErrorMessage = "Keys:RotationDays is 0 to 3650")]
    public int RotationDays { get; set; } = 30;

    /// <summary>Days after which a gateway's device key is changed; 0: only when somebody asks.</summary>
    [Range(0, 3650, ErrorMessage = "Keys:DeviceRotationDays is 0 to 3650")]
    public int DeviceRotationDays { get; set; } = 180;
}

/// <summary>Section <c>Bootstrap</c>.</summary>
public sealed class BootstrapOptions
{
    /// <summary>Where the first admin token is written (mode 0600); empty: it is printed once.</summary>
    public string AdminTokenFile { get; set; } = "";
}
