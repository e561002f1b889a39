"""The logs of a run."""

from collections.abc import Callable
from pathlib import Path

from infra.process.logs import Context, start_logging
from infra.settings import Settings
from infra.settings.secrets import hiding, secrets_of


def start_run_logging(
    folder: Path,
    mode: str,
    whole: Settings,
    context: Context,
    *,
    screen: Callable[[str], None],
    screen_level: str,
) -> None:
    """Log to the screen, and to the mode's own file in a folder unless storage is encrypted."""
    settings = whole.logging
    start_logging(
        file=None if whole.storage.encryption else folder / f"{mode}.jsonl",
        level=settings.level,
        rotation=settings.rotation,
        retention_days=settings.retention_days,
        screen=screen,
        screen_level=screen_level,
        context=context,
        hide=hiding(secrets_of(whole)),
    )
