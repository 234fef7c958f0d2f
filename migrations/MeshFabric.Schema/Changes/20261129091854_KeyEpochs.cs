using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MeshFabric.Schema.Changes
{
    /// <inheritdoc />
    public partial class KeyEpochs : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<int>(
                name: "held_epoch",
                table: "gateways",
                type: "integer",
                nullable: true);

            migrationBuilder.AddColumn<int>(
                name: "key_epoch",
                table: "gateways",
                type: "integer",
                nullable: false,
                defaultValue: 0);

            migrationBuilder.CreateTable(
                name: "key_epochs",
                columns: table => new
                {
                    epoch = table.Column<int>(type: "integer", nullable: false),
                    salt = table.Column<byte[]>(type: "bytea", nullable: false),
                    check = table.Column<byte[]>(type: "bytea", nullable: true),
                    created_at = table.Column<DateTimeOffset>(type: "timestamp with time zone", nullable: false),
                    reason = table.Column<string>(type: "text", nullable: false)
                },
                constraints: table =>
                {
                    table.PrimaryKey("PK_key_epochs", x => x.epoch);
                });
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropTable(
                name: "key_epochs");

            migrationBuilder.DropColumn(
                name: "held_epoch",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "key_epoch",
                table: "gateways");
        }
    }
}
