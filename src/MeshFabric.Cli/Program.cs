return await MeshFabric.Cli.Cli.RunAsync(args);
