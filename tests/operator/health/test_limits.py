"""When people hear of a figure, and when they do not."""

from dataclasses import replace

import pytest

from infra.operator.health.figures import BackupFigures, Figures
from infra.operator.health.limits import LimitWatch
from infra.operator.health.readiness import why_not_ready
from infra.settings import load_settings
from tests.operator.health.made import ACTOR, ASSET, MACHINE, PORTFOLIO, figures, meter, tally

LIMITS = load_settings(None, environ={}, dotenv=None).health
FOR_S = float(LIMITS.for_seconds)
AGAIN_S = 900.0
CALM = figures()
BUSY = figures(machine=replace(MACHINE, cpu_fraction=0.91))


@pytest.fixture
def watch() -> LimitWatch:
    return LimitWatch(LIMITS, again_s=AGAIN_S)


def told(watch: LimitWatch, seen: Figures, now_s: float) -> list[str]:
    return [alert.title for alert in watch.look(seen, now_s)]


def test_a_healthy_system_is_not_told_of(watch: LimitWatch) -> None:
    assert [told(watch, figures(), now_s) for now_s in (0, FOR_S, 2 * FOR_S)] == [[], [], []]


def slow() -> Figures:
    made = meter()
    for _ in range(50):
        made.note(*next(iter(made.stats().counts)), 1.5)
    return figures(requests=made.stats())


@pytest.mark.parametrize(
    ("seen", "source"),
    [
        (BUSY, "cpu/machine"),
        (figures(machine=replace(MACHINE, process_cpu_fraction=0.81)), "cpu/process"),
        (figures(machine=replace(MACHINE, memory_fraction=0.81)), "memory"),
        (figures(machine=replace(MACHINE, disk_free_bytes=9)), "disk"),
        (slow(), "latency"),
        (figures(clock_offset_s=-1.2), "clock"),
        (figures(backup=BackupFigures(complete_s=CALM.at_s - 61, trouble="x")), "backup"),
        (figures(assets=[replace(ASSET, feed_age_s=61.0)]), "feed/BTC"),
        (figures(actors=[replace(ACTOR, oldest_s=11.0)]), "mailbox/asset/BTC"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_each_limit_that_is_passed_long_enough_is_told_with_its_figures(
    watch: LimitWatch, seen: Figures, source: str
) -> None:
    assert watch.look(seen, 0) == []
    alerts = watch.look(seen, FOR_S)

    assert [alert.source for alert in alerts] == [source]
    assert "above its limit" in alerts[0].title
    assert "limit" in alerts[0].detail


def test_the_words_hold_figure_limit_and_what_to_do(watch: LimitWatch) -> None:
    watch.look(BUSY, 0)

    alert = watch.look(BUSY, FOR_S)[0]

    assert alert.title == "CPU of the machine above its limit"
    assert alert.detail == "91 %, limit 80 %. You can: see what else runs there."


def test_a_figure_that_passes_its_limit_for_a_moment_is_not_told(watch: LimitWatch) -> None:
    seen = [(BUSY, 0), (CALM, FOR_S / 2), (BUSY, FOR_S), (BUSY, 1.9 * FOR_S)]

    assert [told(watch, figures, now_s) for figures, now_s in seen] == [[]] * 4


def test_what_is_told_is_told_once_and_its_end_once(watch: LimitWatch) -> None:
    seen = [BUSY] * 4 + [CALM] * 4

    found = [told(watch, look, place * FOR_S) for place, look in enumerate(seen)]

    assert [titles for titles in found if titles] == [
        ["CPU of the machine above its limit"],
        ["CPU of the machine within its limit again"],
    ]


def test_a_figure_that_comes_and_goes_is_told_again_only_after_a_pause(watch: LimitWatch) -> None:
    looks = int(2 * AGAIN_S / FOR_S)

    found = [
        titles
        for place in range(looks)
        for titles in told(watch, CALM if place // 4 % 2 else BUSY, place * FOR_S)
    ]

    assert found.count("CPU of the machine above its limit") == 2


def test_what_is_not_known_passes_no_limit(watch: LimitWatch) -> None:
    unknown = figures(
        assets=[replace(ASSET, feed_age_s=None)],
        clock_offset_s=None,
        requests=replace(figures().requests, p99_s=None),
    )

    assert [told(watch, unknown, now_s) for now_s in (0, FOR_S)] == [[], []]


def stream(*, live: bool) -> Figures:
    made = tally()
    made.live = frozenset({"order"} if live else ())
    return figures(streams=[made.stats()])


@pytest.mark.parametrize(
    ("seen", "why"),
    [
        (figures(), []),
        (stream(live=False), ["public stream 1 is not connected"]),
        (figures(actors=[replace(ACTOR, is_running=False)]), ["asset/BTC is not running"]),
        (figures(actors=[replace(ACTOR, is_given_up=True)]), ["asset/BTC was given up"]),
        (figures(assets=[replace(ASSET, feed_age_s=None)]), ["BTC: no candles yet"]),
        (figures(assets=[replace(ASSET, is_unprotected=True)]), ["positions without a stop: 1"]),
        (figures(is_clock_known=False), ["the exchange's time is not known"]),
        (figures(portfolio=None), ["the portfolio does not answer"]),
        (
            figures(portfolio=replace(PORTFOLIO, is_halted=True)),
            ["trading is halted until the operator's rearm"],
        ),
        (
            figures(portfolio=replace(PORTFOLIO, panic_since_ms=1)),
            ["panic: nothing is opened until the operator's rearm"],
        ),
        (
            figures(portfolio=replace(PORTFOLIO, malfunctions={"data": "no data for 61 s"})),
            ["malfunction: no data for 61 s"],
        ),
        (
            figures(portfolio=replace(PORTFOLIO, suspended=("BTC",))),
            ["BTC is suspended"],
        ),
        (figures(portfolio=replace(PORTFOLIO, paused=("BTC",))), []),
    ],
)
def test_a_system_is_ready_once_all_its_assets_can_be_traded(seen: Figures, why: list[str]) -> None:
    assert why_not_ready(seen) == why
