using System;
using Microsoft.EntityFrameworkCore.Migrations;

#nullable disable

namespace MeshFabric.Schema.Changes
{
    /// <inheritdoc />
    public partial class DeviceKeys : Migration
    {
        /// <inheritdoc />
        protected override void Up(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.AddColumn<bool>(
                name: "changes_key",
                table: "gateways",
                type: "boolean",
                nullable: false,
                defaultValue: false);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "key_asked_at",
                table: "gateways",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "key_asked_by",
                table: "gateways",
                type: "text",
                nullable: false,
                defaultValue: "");

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "key_change_at",
                table: "gateways",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<long>(
                name: "key_change_revision",
                table: "gateways",
                type: "bigint",
                nullable: false,
                defaultValue: 0L);

            migrationBuilder.AddColumn<DateTimeOffset>(
                name: "key_since",
                table: "gateways",
                type: "timestamp with time zone",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "next_key",
                table: "gateways",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "offered_key",
                table: "gateways",
                type: "text",
                nullable: true);

            migrationBuilder.AddColumn<string>(
                name: "used_key",
                table: "gateways",
                type: "text",
                nullable: true);
        }

        /// <inheritdoc />
        protected override void Down(MigrationBuilder migrationBuilder)
        {
            migrationBuilder.DropColumn(
                name: "changes_key",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "key_asked_at",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "key_asked_by",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "key_change_at",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "key_change_revision",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "key_since",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "next_key",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "offered_key",
                table: "gateways");

            migrationBuilder.DropColumn(
                name: "used_key",
                table: "gateways");
        }
    }
}
