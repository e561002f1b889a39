"""Reads the settings of a run and reports all errors at once."""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from pathlib import Path
from typing import Any, get_args

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from domain.errors import ConfigError
from domain.operator.pairs import PairChange
from infra.settings.aliases import Translation
from infra.settings.asset_checks import foreign_strategies
from infra.settings.checks import contradictions
from infra.settings.environment import override, read_variables
from infra.settings.fields import REFUSED, REFUSED_SECRET
from infra.settings.merged import Facts
from infra.settings.pairs import with_pairs
from infra.settings.problems import Key, Place, Problem, read_key, report, show, show_key
from infra.settings.sections.whole import Settings
from infra.settings.tree import EVERY, Node, UnreadableError, merge, put, read_tree

PROJECT_ROOT = Path(__file__).resolve().parents[2]
"""Folder of `settings.yaml`, which has the default of every setting."""

_KEY_OF_MAPPING = "[key]"  # pydantic's last step if the key itself is wrong
_KINDS = {
    "mapping_type": "a mapping (key: value)",
    "model_type": "a mapping (key: value)",
    "string_type": "text",
    "too_long": "fewer items",
    "tuple_type": "a list",
}
"""What is allowed, by pydantic's type of error."""


def default_dotenv() -> Path | None:
    """Return the .env file of the current directory, or else of the project; None without one."""
    files = (folder / ".env" for folder in (Path.cwd(), PROJECT_ROOT))
    return next((file for file in files if file.is_file()), None)


def load_settings(
    path: Path | None,
    *,
    environ: Mapping[str, str],
    dotenv: Path | None,
    pairs: Sequence[PairChange] = (),
) -> Settings:
    """Return the checked settings of a run.

    Args:
        path: a file with overrides of the project's `settings.yaml`; None: none.
        environ: the process's environment, which overrides both files.
        dotenv: a .env file, which `environ` overrides.
        pairs: added and removed by commands; they override everything else.

    Raises:
        ConfigError: something is wrong; its text is the whole report, one line per error.
    """
    return SettingsSource(path, environ=environ, dotenv=dotenv).settings(pairs=pairs)


class SettingsSource:
    """The settings of a run, read once, and variants that differ in some values."""

    def __init__(
        self, path: Path | None, *, environ: Mapping[str, str], dotenv: Path | None
    ) -> None:
        """Read files and variables as `load_settings` does.

        Raises:
            ConfigError: something cannot be read.
        """
        trees, variables, problems = _read_all(path, environ, dotenv)
        if problems:
            raise ConfigError(report(problems))
        tree, translations = trees[0], [Translation(over) for over in trees[1:]]
        for over in translations:
            tree = over.finish(merge(tree, over.tree))
        self.aliases = tuple(alias for over in translations for alias in over.aliases)
        """Values that the file has under alternative names."""
        self._tree, self._problems = override(tree, variables)
        self._problems += [problem for over in translations for problem in over.problems]

    def settings(
        self,
        values: Mapping[str, str] | None = None,
        *,
        source: str = "",
        pairs: Sequence[PairChange] = (),
    ) -> Settings:
        """Return the checked settings.

        Args:
            values: text by key, overriding files and variables; `risk.stop_loss_pct`,
                `risk.drawdown_levels[0]`, or `portfolio.assets[*].leverage` for each asset's.
            source: names the values' origin in errors, e.g. --sweep.
            pairs: added and removed by commands.

        Raises:
            ConfigError: something is wrong; its text is the whole report, one line per error.
        """
        tree, problems = with_pairs(self._tree, pairs), list(self._problems)
        for name, text in (values or {}).items():
            key, place = read_key(name), Place(file=source, setting=name)
            if not self._has(key):
                unknown = f"unknown key; {_meant(key)}"
                problems.append(Problem(place=place, key=key, text=unknown))
                continue
            tree = put(tree, key, Node(None if text == "null" else text, place))
        settings, errors = _validate(tree.plain())
        wrong = {_key(error) for error in errors}
        problems += [_problem(tree, error) for error in errors]
        problems += contradictions(tree, wrong)
        if settings is not None:
            problems += foreign_strategies(settings, tree)
        if settings is None or problems:
            raise ConfigError(report(problems))
        return settings

    def merged(self, pairs: Sequence[PairChange] = ()) -> Facts:
        """Return the values as written, with the place of each.

        Args:
            pairs: added and removed by commands.
        """
        return Facts(with_pairs(self._tree, pairs), ())

    def _has(self, key: Key) -> bool:
        node: Node | None = self._tree
        for depth, step in enumerate(key):
            below = None if node is None else node.child(0 if step == EVERY else step)
            if below is None and node is not None:
                # Optional settings of an asset that are not written have no node yet.
                return depth == len(key) - 1 and step in _names(key[:-1])
            node = below
        return node is not None


def _read_all(
    path: Path | None, environ: Mapping[str, str], dotenv: Path | None
) -> tuple[list[Node], dict[str, Node], list[Problem]]:
    trees: list[Node] = []
    variables: dict[str, Node] = {}
    problems: list[Problem] = []
    for file in (PROJECT_ROOT / "settings.yaml", path):
        try:
            trees += [] if file is None else [read_tree(file)]
        except UnreadableError as error:
            problems += error.problems
    try:
        variables = read_variables(environ, dotenv)
    except UnreadableError as error:
        problems += error.problems
    return trees, variables, problems


def _validate(plain: object) -> tuple[Settings | None, list[ErrorDetails]]:
    try:
        return Settings.model_validate(plain), []
    except ValidationError as error:
        return None, error.errors(include_url=False)


def _key(error: ErrorDetails) -> Key:
    location = error["loc"]
    return location[:-1] if location[-1] == _KEY_OF_MAPPING else location


def _problem(tree: Node, error: ErrorDetails) -> Problem:
    key = _key(error)
    return Problem(place=tree.nearest(key).place, key=key, text=_text(key, error))


def _text(key: Key, error: ErrorDetails) -> str:
    match error["type"]:
        case "extra_forbidden":
            return f"unknown key; {_meant(key)}"
        case "missing" if isinstance(key[-1], int):
            return "is missing; allowed: a list with all its items"
        case "missing":
            return f"is missing; needed here: {', '.join(_names(key[:-1]))}"
        case kind if kind == REFUSED_SECRET:
            return f"found a value that is not shown; allowed: {error['msg']}"
        case kind if kind == REFUSED:
            return f"found {_shown(error['input'])}; allowed: {error['msg']}"
        case kind:
            return f"found {_shown(error['input'])}; allowed: {_KINDS[kind]}"


def _shown(found: Any) -> str:
    match found:
        case None:
            return "nothing"
        case dict():
            return "a mapping"
        case list():
            return f"a list of {len(found)}"
        case _:
            return show(str(found))


def _meant(key: Key) -> str:
    """Return what an unknown key may have meant, or what is allowed instead."""
    name, here = str(key[-1]), _names(key[:-1])
    near = get_close_matches(name[:60], here, n=1)
    elsewhere = [show_key(path) for path in _all_keys(Settings, ()) if path[-1] == name]
    if near or elsewhere:
        return f"did you mean {' or '.join(near + elsewhere)}?"
    return f"allowed here: {', '.join(here)}"


def _names(key: Key) -> list[str]:
    model: type[BaseModel] = Settings
    for step in key:
        field = model.model_fields.get(str(step))
        model = (field and _model_in(field.annotation)) or model
    return list(model.model_fields)


def _all_keys(model: type[BaseModel], key: Key) -> Iterator[Key]:
    for name, field in model.model_fields.items():
        below = _model_in(field.annotation)
        yield (*key, name)
        if below is not None:
            yield from _all_keys(below, (*key, name))


def _model_in(annotation: Any) -> type[BaseModel] | None:
    """Return the section that a field holds, directly or in a list or mapping."""
    for part in (annotation, *get_args(annotation)):
        if isinstance(part, type) and issubclass(part, BaseModel):
            return part
    return None
