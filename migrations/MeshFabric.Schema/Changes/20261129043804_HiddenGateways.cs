using System.Collections.Generic;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MeshFabric.Schema.Changes
{
    /// <inheritdoc />
    public partial class HiddenGateways : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<string>(
                name: "observed_endpoints",
                table: "gateways",
                type: "jsonb",
                nullable: false,
                defaultValueSql: "'[]'");

            migrationBuilder.AddColumn<List<string>>(
                name: "private_endpoints",
                table: "gateways",
                type: "text[]",
                nullable: false,
                defaultValueSql: "'{}'");

            migrationBuilder.AddColumn<string>(
                name: "relays",
                table: "gateways",
                type: "jsonb",
                nullable: false,
                defaultValueSql: "'[]'");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "observed_endpoints",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "private_endpoints",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "relays",
                table: "gateways");
        }
    }
}
