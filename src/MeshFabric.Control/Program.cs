using System.CommandLine;
using System.Net;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Setup;
using MeshFabric.ServiceDefaults;
using Microsoft.Extensions.Options;

var config = new Option<FileInfo?>("--config") { Description = "JSON configuration file; environment variables MESHFABRIC_SECTION__KEY override it" };
var run = new Command("run", "Run the control service (the default)") { config };
run.SetAction((result, cancellationToken) => RunAsync(result.GetValue(config), cancellationToken));

var directory = new Option<string>("--directory") { Description = "Where the files go", Required = true };
var names = new Option<string[]>("--name") { Description = "DNS name of the servers; may be repeated", DefaultValueFactory = _ => [] };
var addresses = new Option<string[]>("--ip") { Description = "IP address of the servers; may be repeated", DefaultValueFactory = _ => [] };
var create = new Command("create", "Make the CA and the certificates of control service and broker; what is there stays") { directory, names, addresses };
create.SetAction(result => CreatePki(result.GetValue(directory)!, result.GetValue(names)!, result.GetValue(addresses)!));

var root = new RootCommand("MeshFabric control service.\n\nExamples:\n  meshfabric-control pki create --directory /etc/meshfabric/pki --name mesh.example.org\n  meshfabric-control run --config /etc/meshfabric/control.json")
{
    run, new Command("pki", "Certificates") { create }, config,
};
root.SetAction((result, cancellationToken) => RunAsync(result.GetValue(config), cancellationToken));
return await root.Parse(args).InvokeAsync();

static async Task<int> RunAsync(FileInfo? file, CancellationToken cancellationToken)
{
    try
    {
        await using var app = ControlHost.Build(configuration =>
        {
            if (file is not null)
            {
                configuration.AddJsonFile(file.FullName, optional: false);
            }

            configuration.AddEnvironmentVariables("MESHFABRIC_");
        });
        var ended = BackgroundFailure.Watch(app.Services);
        await app.StartAsync(cancellationToken);
        await app.WaitForShutdownAsync(cancellationToken);
        return ended() is null ? 0 : 1;
    }
    catch (Exception e) when (e is StartupException or OptionsValidationException or IOException or FormatException)
    {
        // What an operator can mend: the sentence is enough.
        await Console.Error.WriteLineAsync($"meshfabric-control: {(e is OptionsValidationException options ? string.Join("\n  ", options.Failures) : e.Message)}");
        return 1;
    }
}

static int CreatePki(string directory, string[] names, string[] addresses)
{
    if (names.Length + addresses.Length == 0)
    {
        Console.Error.WriteLine("meshfabric-control: give at least one --name or --ip by which the servers are reached");
        return 2;
    }

    if (Array.Find(addresses, a => !IPAddress.TryParse(a, out _)) is { } wrong)
    {
        Console.Error.WriteLine($"meshfabric-control: '{wrong}' is not an IP address");
        return 2;
    }

    var made = PkiDirectory.Create(directory, names, addresses.Select(IPAddress.Parse).ToList(), TimeProvider.System);
    Console.WriteLine(made.Count == 0 ? $"{directory}: everything is there" : $"{directory}: made {string.Join(", ", made)}");
    return 0;
}
