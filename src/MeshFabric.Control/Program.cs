using System.CommandLine;
using System.Net;
using MeshFabric.Control.Pki;
using MeshFabric.Control.Setup;
using Microsoft.Extensions.Options;

var directory = new Option<string>("--directory") { Description = "PKI directory", Required = true };
var names = new Option<string[]>("--name") { Description = "DNS name of the control service and broker; repeat for several", DefaultValueFactory = _ => ["localhost"] };
var addresses = new Option<string[]>("--ip") { Description = "IP address of the control service and broker; repeat for several", DefaultValueFactory = _ => [] };
var create = new Command("create", "Make the CA and the certificates of control service and broker; what exists stays") { directory, names, addresses };
create.SetAction(result =>
{
    var made = PkiDirectory.Create(result.GetValue(directory)!, result.GetValue(names)!, result.GetValue(addresses)!.Select(IPAddress.Parse).ToList(), TimeProvider.System);
    Console.WriteLine(made.Count == 0 ? "everything is there already" : $"made {string.Join(", ", made)}");
});

var run = new Command("run", "Run the control service (the default); configured by MESHFABRIC_* environment variables") { TreatUnmatchedTokensAsErrors = false };
run.SetAction((result, cancellationToken) => RunAsync([.. result.UnmatchedTokens], cancellationToken));

var root = new RootCommand("MeshFabric's control service.\n\nExamples:\n  meshfabric-control pki create --directory /etc/meshfabric/pki --name mesh.example.org\n  meshfabric-control run")
{
    run, new Command("pki", "Certificates") { create },
};
root.SetAction((_, cancellationToken) => RunAsync([], cancellationToken));
return await root.Parse(args).InvokeAsync();

static async Task<int> RunAsync(string[] settings, CancellationToken cancellationToken)
{
    try
    {
        await using var app = ControlHost.Create(settings);
        await app.RunAsync(cancellationToken);
        return 0;
    }
    catch (Exception e) when (e is StartupException or OptionsValidationException or FileNotFoundException or IOException)
    {
        await Console.Error.WriteLineAsync($"meshfabric-control: {e.Message}");
        return 1;
    }
}
