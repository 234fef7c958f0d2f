return await new MeshFabric.Cli.Cli(MeshFabric.Cli.Shell.OfProcess()).RunAsync(args);
