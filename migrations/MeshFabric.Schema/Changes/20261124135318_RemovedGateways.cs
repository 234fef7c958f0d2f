using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MeshFabric.Schema.Changes
{
    /// <inheritdoc />
    public partial class RemovedGateways : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.CreateTable(
                name: "removed_gateways",
                columns: table => new
                {
                    gateway_id = table.Column<string>(type: "text", nullable: false),
                    name = table.Column<string>(type: "text", nullable: false),
                    removed_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_removed_gateways", x => x.gateway_id);
                });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "removed_gateways");
        }
    }
}
