using System.CommandLine;

namespace MeshFabric.Cli.Commands;

/// <summary><c>mfctl completion SHELL</c> prints a script; the script asks <c>mfctl complete</c>, which knows every command and the server's names.</summary>
static class CompletionCommands
{
    public static Command Create(Cli cli) => new MeshCommand("completion", "Print a script that completes commands, options and the names of clusters, gateways and tunnels",
        "source <(mfctl completion bash)",
        "mfctl completion zsh > \"${fpath[1]}/_mfctl\"",
        "mfctl completion fish > ~/.config/fish/completions/mfctl.fish",
        "mfctl completion pwsh | Out-String | Invoke-Expression")
    {
        Script(cli, "bash", "source <(mfctl completion bash)", Bash), Script(cli, "zsh", "mfctl completion zsh > \"${fpath[1]}/_mfctl\"", Zsh),
        Script(cli, "fish", "mfctl completion fish > ~/.config/fish/completions/mfctl.fish", Fish), Script(cli, "pwsh", "mfctl completion pwsh | Out-String | Invoke-Expression", PowerShell),
    };

    /// <summary>Hidden: what the scripts call.</summary>
    public static Command Complete(Cli cli)
    {
        var line = new Argument<string>("line") { Description = "The command line up to the cursor" };
        var command = new MeshCommand("complete", "Print what the last word of a command line may become", "mfctl complete 'mfctl cluster get au'") { line };
        command.Hidden = true;
        command.SetAction(async (result, _) =>
        {
            foreach (var word in cli.Names.Complete(result.GetValue(line)!))
            {
                await cli.Shell.Out.WriteLineAsync(word);
            }

            return ExitCode.Ok;
        });
        return command;
    }

    static Command Script(Cli cli, string shell, string example, string script)
    {
        var command = new MeshCommand(shell, $"For {shell}", example);
        command.SetAction(cli.Local(async (run, _) =>
        {
            await run.Shell.Out.WriteAsync(script);
            return ExitCode.Ok;
        }));
        return command;
    }

    const string Bash = """
        # bash completion for mfctl
        _mfctl() {
            local line=${COMP_LINE:0:COMP_POINT} word
            COMPREPLY=()
            while IFS= read -r word; do
                [ -n "$word" ] && COMPREPLY+=("$word")
            done < <("${COMP_WORDS[0]}" complete "$line" 2>/dev/null)
        }
        complete -o default -F _mfctl mfctl

        """;

    const string Zsh = """
        #compdef mfctl
        _mfctl() {
            local -a words_found
            words_found=("${(@f)$(${words[1]} complete "${LBUFFER}" 2>/dev/null)}")
            words_found=(${words_found:#})
            if (( ${#words_found} )); then compadd -a words_found; else _files; fi
        }
        if [ "$funcstack[1]" = "_mfctl" ]; then _mfctl; else compdef _mfctl mfctl; fi

        """;

    const string Fish = """
        # fish completion for mfctl
        complete -c mfctl -a '(mfctl complete (commandline -cp | string collect) 2>/dev/null)'

        """;

    const string PowerShell = """
        # PowerShell completion for mfctl
        Register-ArgumentCompleter -Native -CommandName mfctl -ScriptBlock {
            param($wordToComplete, $commandAst, $cursorPosition)
            $line = $commandAst.ToString().PadRight($cursorPosition).Substring(0, $cursorPosition)
            mfctl complete $line 2>$null | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_, $_, 'ParameterValue', $_) }
        }

        """;
}
