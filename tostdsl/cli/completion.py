"""`tost completion`: the script that teaches a shell to complete `tost`."""

from __future__ import annotations

import click

SHELLS = ("bash", "zsh", "fish")

# click's scripts end every word with a space; after `NAME=` and `folder/` one goes on typing
BASH = """\
%(complete_func)s() {
    local IFS=$'\\n'
    local response type value completion name=
    local -a words=("${COMP_WORDS[@]}")
    local at=$COMP_CWORD

    # bash cuts words at the equals sign of NAME=VALUE, and replaces the last part alone
    [[ ${words[at]} == "=" ]] || at=$((at - 1))
    if [[ ${words[at]} == "=" && ${words[at - 1]} != -* ]]; then
        name="${words[at - 1]}="
        value=
        [[ $at == "$COMP_CWORD" ]] || value=${words[COMP_CWORD]}
        at=$((at - 1))
        words=("${words[@]:0:at}" "$name$value")
    else
        at=$COMP_CWORD
    fi

    response=$(env COMP_WORDS="${words[*]}" COMP_CWORD=$at \
%(complete_var)s=bash_complete $1)

    while IFS=',' read -r type value; do
        if [[ $type == "plain" ]]; then
            value=${value#"$name"}
            if [[ $value == *[=/] ]]; then
                compopt -o nospace
            fi
            if [[ $value == *[!A-Za-z0-9_./,=~-]* ]]; then
                printf -v value %%q "$value"
            fi
            COMPREPLY+=("$value")
        fi
    done <<< "$response"

    return 0
}

complete -o nosort -F %(complete_func)s %(prog_name)s
"""

ZSH = """\
#compdef %(prog_name)s

%(complete_func)s() {
    local -a described plain open response
    local kind key help
    (( ! $+commands[%(prog_name)s] )) && return 1

    response=("${(@f)$(env COMP_WORDS="${words[*]}" COMP_CWORD=$((CURRENT-1)) \
%(complete_var)s=zsh_complete %(prog_name)s)}")

    for kind key help in ${response}; do
        if [[ "$kind" != "plain" ]]; then
            continue
        elif [[ "$key" == *[=/] ]]; then
            open+=("$key")
        elif [[ "$help" == "_" ]]; then
            plain+=("$key")
        else
            described+=("$key":"$help")
        fi
    done

    if [ -n "$described" ]; then
        _describe -V unsorted described -U
    fi
    if [ -n "$plain" ]; then
        compadd -U -V unsorted -a plain
    fi
    if [ -n "$open" ]; then
        compadd -U -S '' -V unsorted -a open
    fi
}

if [[ $zsh_eval_context[-1] == loadautofunc ]]; then
    %(complete_func)s "$@"
else
    compdef %(complete_func)s %(prog_name)s
fi
"""


# the control character keeps the lines as they are
HELP = """Print the completion script for a shell.

\b
bash  eval "$(tost completion bash)" in ~/.bashrc
zsh   eval "$(tost completion zsh)" in ~/.zshrc, after compinit
fish  tost completion fish > ~/.config/fish/completions/tost.fish
"""


@click.command("completion", help=HELP)
@click.argument("shell", type=click.Choice(SHELLS))
def command(shell: str) -> int:
    """Print the completion script for a shell."""
    click.echo(script(shell), nl=False)
    return 0


def script(shell: str) -> str:
    """The script of a shell; it asks `tost` itself what may come next, by click's protocol."""
    from click.shell_completion import FishComplete, ShellComplete, get_completion_class

    from tostdsl.cli.main import tost

    asked: type[ShellComplete] | None = get_completion_class(shell)
    completer = (asked or FishComplete)(tost, {}, "tost", "_TOST_COMPLETE")
    template = {"bash": BASH, "zsh": ZSH}.get(shell, completer.source_template)
    return template % completer.source_vars()
