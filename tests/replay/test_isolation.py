"""One asset's actor fails at random messages; what the others decide does not change."""

from pathlib import Path

import pytest

from actors.core.system import Moment
from actors.drills.probes import CrashDrill, Fail, HangDrill, crash, exit_thread
from infra.settings import Settings
from tests.replay.runs import Outcome, made_up_market, replay

DAY = 288
FAILING = "asset/BTC"
HANG_S = 0.2
WAKES_AFTER_S = 1.0
"""Long after it was replaced: then it tries to go on."""


@pytest.mark.parametrize(
    ("fail", "probability", "at_least"),
    [(crash, 0.2, 80), (exit_thread, 0.2, 80), (HangDrill(WAKES_AFTER_S), 0.02, 5)],
    ids=["crash", "SystemExit", "hang"],
)
def test_what_the_others_decide_does_not_change(
    lively: Settings, tmp_path: Path, fail: Fail, probability: float, at_least: int
) -> None:
    settings = impatient(lively)
    market = made_up_market(4, 2 * DAY)
    undisturbed = replay(settings, market, tmp_path / "undisturbed")
    drill = CrashDrill(probability, 1, fail)

    def probe(address: str, moment: Moment) -> None:
        if address == FAILING:
            drill(address, moment)

    disturbed = replay(settings, market, tmp_path / "disturbed", probe)

    assert disturbed.restarts > at_least
    assert of_others(undisturbed)
    assert of_others(disturbed) == of_others(undisturbed)
    assert disturbed.trades == undisturbed.trades
    assert disturbed.refusals == undisturbed.refusals


def impatient(settings: Settings) -> Settings:
    supervision = settings.supervision.model_copy(
        update={"hang_seconds": HANG_S, "start_seconds": 3 * HANG_S}
    )
    return settings.model_copy(update={"supervision": supervision})


def of_others(outcome: Outcome) -> list[object]:
    return [trade for trade in outcome.trades if trade.asset != "BTC"]
