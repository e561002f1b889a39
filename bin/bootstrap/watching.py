"""What the health of a run is read from."""

from actors.operator.inspector import Inspector
from bin.bootstrap.run import Run
from infra.operator.health.watch import Sources


def sources_of(run: Run) -> Sources:
    """Return where the figures of a run come from."""
    return Sources(
        mode=run.info.mode,
        inspect=Inspector(run).snapshot,
        channels=run.channels,
        recorder=run.recorder,
        tell=run.tell_operator,
    )
