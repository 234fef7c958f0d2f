using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MeshFabric.Schema.Changes
{
    /// <inheritdoc />
    public partial class ReportNumbers : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<long>(
                name: "inventory_number",
                table: "gateways",
                type: "bigint",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.AddColumn<string>(
                name: "inventory_session",
                table: "gateways",
                type: "text",
                nullable: false,
                defaultValue: "");

            migrationBuilder.AddColumn<long>(
                name: "report_number",
                table: "gateways",
                type: "bigint",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.AddColumn<string>(
                name: "report_session",
                table: "gateways",
                type: "text",
                nullable: false,
                defaultValue: "");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "inventory_number",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "inventory_session",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "report_number",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "report_session",
                table: "gateways");
        }
    }
}
