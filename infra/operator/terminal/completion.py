"""A completion script for bash and zsh: the commands of bin/, their options and arguments.

It is generated once from the commands themselves, so that pressing tab starts no Python.
"""

import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SHELLS = ("bash", "zsh")


@dataclass(frozen=True, slots=True, kw_only=True)
class Completed:
    """The words that may follow a command, or a subcommand."""

    options: Sequence[str] = ()
    valued: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """Options that take a value, with the known values; none: a file, or anything."""
    words: Sequence[str] = ()
    """Known arguments."""
    inside: "Mapping[str, Completed]" = field(default_factory=dict)
    """Subcommands."""


def script(shell: str, root: Path, commands: Mapping[str, Completed]) -> str:
    """Return the script for a shell, for the commands of bin/ under `root`."""
    lines = ["# Completes the commands of bin/; made by bin/completion."]
    if shell == "zsh":
        lines.append("autoload -Uz compinit bashcompinit && compinit -u && bashcompinit")
    names = " ".join(place for name in commands for place in _places(root, name))
    return "\n".join(
        [*lines, *_function(commands), f"complete -o default -F _bin_words {names}", ""]
    )


def _places(root: Path, name: str) -> Iterator[str]:
    """Yield the forms in which a command is typed."""
    for place in (f"bin/{name}", f"./bin/{name}", str(root / "bin" / name)):
        yield shlex.quote(place)


def _function(commands: Mapping[str, Completed]) -> Iterator[str]:
    yield "_bin_words() {"
    yield '    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}"'
    yield '    local name="${COMP_WORDS[0]##*/}" below="" inside="" words="" number word'
    yield '    case "$name" in'
    for name, command in commands.items():
        if command.inside:
            yield f'        {name}) inside="{_joined(command.inside)}" ;;'
    yield "    esac"
    yield "    for ((number = 1; number < COMP_CWORD; number++)); do"
    yield '        word="${COMP_WORDS[number]}"'
    yield '        case " $inside " in *" $word "*) below="$word" && break ;; esac'
    yield "    done"
    yield "    COMPREPLY=()"
    yield '    case "$name $below $prev" in'
    yield from _values(commands)
    yield "    esac"
    yield '    case "$name $below" in'
    for name, command in commands.items():
        yield f'        "{name} ") words="{_joined(_all(command))}" ;;'
        for word, found in command.inside.items():
            both = (*_all(found), *command.options)
            yield f'        "{name} {word}") words="{_joined(both)}" ;;'
    yield "    esac"
    yield '    COMPREPLY=($(compgen -W "$words" -- "$cur"))'
    yield "}"


def _values(commands: Mapping[str, Completed]) -> Iterator[str]:
    """Yield the cases for values of options."""
    for name, command in commands.items():
        yield from _valued(f'"{name} "*" {{}}"', command.valued)
        for word, found in command.inside.items():
            yield from _valued(f'"{name} {word} {{}}"', found.valued)


def _valued(pattern: str, options: Mapping[str, Sequence[str]]) -> Iterator[str]:
    unknown = [option for option, known in options.items() if not known]
    if unknown:  # no proposal, so that the shell proposes files
        yield f"        {'|'.join(map(pattern.format, unknown))}) return ;;"
    for option, known in options.items():
        if known:
            proposed = f'COMPREPLY=($(compgen -W "{_joined(known)}" -- "$cur"))'
            yield f"        {pattern.format(option)}) {proposed}; return ;;"


def _all(command: Completed) -> Iterator[str]:
    yield from command.inside
    yield from command.words
    yield from command.options


def _joined(words: Iterable[str]) -> str:
    return " ".join(dict.fromkeys(words))
