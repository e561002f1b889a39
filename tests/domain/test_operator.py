"""Commands as they are written, and what follows from all of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.operator.commands import (
    ALL,
    FLAT,
    MANUALS,
    Command,
    CommandName,
    OperatorCommand,
    OperatorState,
    UnknownCommandError,
    explained,
    fold,
    parse,
)

ASSETS = ("BTC", "ETH", "SOL")


def fact(name: str, argument: str = "", *, ts_ms: int = 1, done: bool = True) -> OperatorCommand:
    return OperatorCommand(
        command=str(name), arguments=argument, operator="t", result="", ts_ms=ts_ms, is_done=done
    )


def test_each_command_can_be_explained_and_nothing_else() -> None:
    assert parse("/help pause") == Command(name=CommandName.HELP, argument="pause")
    assert explained(CommandName.PAUSE) == (
        "pause ASSET|all",
        "Open no new positions.",
        "Survives restarts, until another command ends it.",
    )
    assert explained(CommandName.CLOSE)[-1] == "Has to be confirmed with all."
    assert explained(CommandName.PANIC)[-1] == "Has to be confirmed."
    assert explained(CommandName.STATUS) == (
        "status",
        "Mode, balance, positions and what blocks entries.",
    )
    with pytest.raises(UnknownCommandError, match="'fly' is not a command; help lists all"):
        parse("help fly")


def test_every_command_has_a_manual() -> None:
    assert set(MANUALS) == set(CommandName)


@pytest.mark.parametrize(
    ("text", "command"),
    [
        ("status", Command(name=CommandName.STATUS)),
        (" /pause@my_bot  BTC ", Command(name=CommandName.PAUSE, argument="BTC")),
        ("PANIC", Command(name=CommandName.PANIC)),
        ("trades", Command(name=CommandName.TRADES)),
        ("trades 1000", Command(name=CommandName.TRADES, argument="1000")),
    ],
)
def test_a_command_is_read(text: str, command: Command) -> None:
    assert parse(text) == command


@pytest.mark.parametrize(
    "text",
    [
        "",
        "/",
        "sell",
        "pause",
        "pause BTC ETH",
        "panic now",
        "trades 0",
        "trades 1001",
        "trades x",
        "trades -1",
        "trades ٣",
    ],
)
def test_what_is_no_command_is_said(text: str) -> None:
    with pytest.raises(UnknownCommandError):
        parse(text)


@given(st.text())
def test_property_any_text_is_a_command_or_is_refused(text: str) -> None:
    try:
        command = parse(text)
    except UnknownCommandError:
        return
    assert command.name in CommandName


def test_what_ends_all_must_be_confirmed() -> None:
    texts = ("panic", "rearm", "close all", "close ALL", "close BTC", "pause all")
    others = ("reduce BTC", "reduce BTC 0.5", "liquidate all", "liquidate BTC")

    wanting = {text for text in (*texts, *others) if parse(text).needs_confirmation}

    assert wanting == {"panic", "rearm", "close all", "close ALL", *others[:3]}


facts = st.builds(
    fact,
    st.sampled_from([*CommandName, FLAT]),
    st.sampled_from([*ASSETS, ALL, "DOGE"]),
    ts_ms=st.integers(1, 99),
    done=st.booleans(),
)


@given(st.lists(facts, max_size=20))
def test_property_a_panic_lasts_until_a_rearm_and_a_pause_until_a_resume(
    commands: list[OperatorCommand],
) -> None:
    found = fold(commands, ASSETS)

    done = [c for c in commands if c.is_done]
    newest = [c.command for c in done if c.command in {"panic", "rearm"}]
    assert (found.panic is not None) == (newest[-1:] == ["panic"])
    for asset in ASSETS:
        of_asset = [
            c.command
            for c in done
            if c.command in {"pause", "liquidate", "resume"} and c.arguments in {asset, ALL}
        ]
        assert (asset in found.paused) == (of_asset[-1:] in (["pause"], ["liquidate"]))
        assert (asset in found.flat) <= (asset in found.liquidations) <= (asset in found.paused)


def test_a_refused_command_changes_nothing() -> None:
    assert fold([fact(CommandName.PANIC, done=False)], ASSETS) == OperatorState()


def test_an_asset_that_is_new_is_paused_with_all() -> None:
    assert fold([fact(CommandName.PAUSE, ALL)], [*ASSETS, "XRP"]).paused == {*ASSETS, "XRP"}
