"""Pairs join and leave in a run on paper: by Telegram, by `ctl`, and because of the exchange."""

import signal
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from domain.operator.commands import CommandName
from infra.operator.control.client import ask
from infra.operator.preflight.checks import check
from infra.operator.preflight.finding import Level
from infra.venues.modes import Mode
from infra.venues.simulator.prices.listed import others_than
from tests.command.mode_runs import ModeRun, settings_at
from tests.command.test_paper_run import EAGER, Start, acts
from tests.operator.notices.bot_api import TOKEN, BotApi, running_bot_api
from tests.venues.simulator.clients import Client, running

AVAX = [each for each in others_than(()) if each.symbol == "AVAXUSDT"]
SPEED = 600
MORE = {"strategy": EAGER | {"entry_max_age_ms": 600_000}}


@pytest.fixture
def bybit() -> Iterator[Client]:
    with running(speed=SPEED, history=3_600, others=AVAX) as client:
        yield client


@pytest.fixture
def telegram() -> Iterator[BotApi]:
    with running_bot_api() as api:
        yield api


def pairs(run: ModeRun, argument: str = "list") -> Any:
    return ask(run.run_dir, CommandName.PAIRS, argument, "test", is_confirmed=False)["data"]


def traded(run: ModeRun) -> Callable[[], bool]:
    return lambda: "AVAX" in pairs(run)["pairs"]


def test_a_pair_joins_by_telegram_trades_on_paper_leaves_and_may_be_delisted(
    start: Start, bybit: Client, telegram: BotApi
) -> None:
    settings = settings_at(bybit, SPEED, **MORE)
    chat = {
        "TELEGRAM_BOT_TOKEN": TOKEN,
        "TELEGRAM_ADMIN_CHAT_ID": "77",
        "TELEGRAM_SERVER": telegram.url,
    }
    run = start("paper", settings, **chat)
    run.wait_for("Started")

    telegram.write("/pairs add AVAX")
    telegram.wait_for(lambda: any("AVAX joins at the close of" in t for t in telegram.texts()))
    run.wait(
        lambda: any(act["asset"] == "AVAX" and act["executions"] for act in acts(run.run_dir)),
        "a fill in AVAX on paper",
    )
    telegram.write("/pairs remove AVAX")
    telegram.wait_for(lambda: any("leaves once it is flat" in text for text in telegram.texts()))
    run.wait(lambda: not traded(run)(), "AVAX has left, flat on paper")
    assert pairs(run, "add AVAX")["asset"] == "AVAX"
    assert run.end(signal.SIGTERM) == 0, run.shown()

    # The exchange lists it no more.
    bybit.control("faults", kind="delisted", symbol="AVAXUSDT")
    file = run.run_dir.parent / "settings.yaml"
    found = {each.name: each for each in check(Mode.PAPER, file, run.run_dir, sends_test=False)}
    assert found["AVAXUSDT"].level is Level.WARN
    assert found["BTCUSDT size"].level is Level.OK

    later = start("paper", settings)

    later.wait_for("does not list AVAXUSDT; it was added by a command")
    later.wait_for("pairs leave AVAXUSDT; AVAX has left")
    later.wait(lambda: not traded(later)(), "AVAX has left again")
    assert pairs(later)["pairs"] == ["BTC", "ETH", "SOL"]
    assert later.end() == 0, later.shown()
    assert "Traceback" not in later.shown()
    assert bybit.records()["orders"] == []
