using MudBlazor;

namespace MeshFabric.Dashboard.Layout;

/// <summary>Colours that keep a contrast of 4.5 to 1 with what they are written on (WCAG 2.2, 1.4.3), light and dark.</summary>
static class Theme
{
    static readonly string[] Fonts = ["system-ui", "-apple-system", "Segoe UI", "Roboto", "Helvetica Neue", "Arial", "sans-serif"];

    public static MudTheme Mesh { get; } = new()
    {
        PaletteLight = new PaletteLight
        {
            Primary = "#24489e",
            Secondary = "#5b3d8a",
            Success = "#1a7f37",
            Warning = "#8a5a00",
            Error = "#b3261e",
            Info = "#0b5c8f",
            AppbarBackground = "#1c2b4a",
            AppbarText = "#ffffff",
            Background = "#f5f6f9",
            Surface = "#ffffff",
            DrawerBackground = "#ffffff",
            TextSecondary = "#4d5566",
            TextPrimary = "#1b1f29",
        },
        PaletteDark = new PaletteDark
        {
            Primary = "#9db2ff",
            Secondary = "#cdb4f0",
            Success = "#5fd07e",
            Warning = "#e8b44a",
            Error = "#ff8f86",
            Info = "#7cc4f0",
            AppbarBackground = "#10192e",
            AppbarText = "#ffffff",
            Background = "#12151c",
            Surface = "#1b2029",
            DrawerBackground = "#171b23",
            TextSecondary = "#b4bccb",
            TextPrimary = "#eceff5",
        },
        Typography = new Typography { Default = new DefaultTypography { FontFamily = Fonts } },
        LayoutProperties = new LayoutProperties { DefaultBorderRadius = "6px", DrawerWidthLeft = "200px" },
    };
}
