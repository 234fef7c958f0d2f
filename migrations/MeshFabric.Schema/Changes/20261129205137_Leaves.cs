using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MeshFabric.Schema.Changes
{
    /// <inheritdoc />
    public partial class Leaves : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropIndex(
                name: "IX_gateways_cluster_id_ordinal",
                table: "gateways");

            migrationBuilder.AddColumn<string>(
                name: "node",
                table: "gateways",
                type: "text",
                nullable: false,
                defaultValue: "");

            migrationBuilder.AddColumn<string>(
                name: "granularity",
                table: "clusters",
                type: "text",
                nullable: false,
                defaultValue: "Gateway");

            migrationBuilder.CreateIndex(
                name: "IX_gateways_cluster_id_ordinal",
                table: "gateways",
                columns: new[] { "cluster_id", "ordinal" },
                unique: true,
                filter: "ordinal < 8");

            migrationBuilder.Sql("ALTER TABLE gateways DROP CONSTRAINT gateways_ordinal_range, ADD CONSTRAINT gateways_ordinal_range CHECK (ordinal BETWEEN 0 AND 8);");
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.Sql("DELETE FROM gateways WHERE ordinal = 8;");
            migrationBuilder.Sql("ALTER TABLE gateways DROP CONSTRAINT gateways_ordinal_range, ADD CONSTRAINT gateways_ordinal_range CHECK (ordinal BETWEEN 0 AND 7);");

            migrationBuilder.DropIndex(
                name: "IX_gateways_cluster_id_ordinal",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "node",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "granularity",
                table: "clusters");

            migrationBuilder.CreateIndex(
                name: "IX_gateways_cluster_id_ordinal",
                table: "gateways",
                columns: new[] { "cluster_id", "ordinal" },
                unique: true);
        }
    }
}
