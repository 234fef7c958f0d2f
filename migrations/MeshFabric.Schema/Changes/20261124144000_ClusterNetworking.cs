using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MeshFabric.Schema.Changes
{
    /// <inheritdoc />
    public partial class ClusterNetworking : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "networking",
                table: "clusters",
                type: "jsonb",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "networking",
                table: "clusters");
        }
    }
}
