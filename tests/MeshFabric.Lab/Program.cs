using MeshFabric.Lab;

return await LabProgram.RunAsync(args);
