"""A trace of an older program is read, and replayed as far as the two programs can be compared."""

import json
from pathlib import Path

import pytest
from typer.testing import CliRunner

import bin.trace
from actors.reruns.incarnations import shared_fields
from infra.trace.names import FORMAT
from infra.trace.reader import TraceReader

ORDER = "ETH-1746077700-entry-1"
ACTORS = ("portfolio", "execution/BTC", "execution/ETH", "asset/BTC", "asset/ETH", "asset/SOL")


def traced(run_dir: Path, *words: str, code: int = 0) -> str:
    # Tables are as wide as they need be.
    bin.trace.screen.width = 400
    done = CliRunner().invoke(bin.trace.app, ["--run-dir", str(run_dir), *words])
    assert done.exit_code == code, done.output
    return done.output


def test_its_format_is_older_than_todays(made: Path) -> None:
    assert {session.format for session in TraceReader(made / "trace").sessions()} == {0}
    assert FORMAT > 0


def test_why_tells_an_order_from_its_candle_to_its_trade(made: Path) -> None:
    story = json.loads(traced(made, "why", ORDER, "--json"))

    told = {step["name"]: step["text"] for step in story["steps"]}
    assert story["missing"] == []
    assert told["indicators"].startswith("close 2879.46, EMA 10 2888.94, EMA 30 2903.12")
    assert told["candle"].startswith("open 2892.41, high 2892.96, low 2878.18, close 2879.46")
    assert told["wish"] == "volatility 0.00188, strength 0.00815"
    assert told["grant"] == "qty 2.42 at 2879.46 = 6968.29 USDT by portfolio"
    assert "2878.884108 to 2888.607606: -31.2074 USDT" in told["trade"]
    assert {step["name"]: step["message"] for step in story["steps"]}["grant"] == "1.444"


def test_why_of_a_close_tells_what_was_noted_of_it(made: Path) -> None:
    shown = traced(made, "why", "close/ETH@2025-05-01T05:30")

    assert "ETH, close of 2025-05-01 05:30" in shown
    assert "EMA 10 2891.05" in shown
    assert "not in the trace: conditions" in shown


def test_messages_are_shown_and_found_under_old_names_and_new(made: Path) -> None:
    today = traced(made, "tail", "--type", "EntryApproved")

    assert "EntryApproved" in today
    assert traced(made, "tail", "--type", "EntryGranted") == today
    assert "ContinueReconcile" in traced(made, "tree", "1.413")
    assert ORDER in traced(made, "orders")
    assert "EntryApproved" in traced(made, "stats")
    assert traced(made, "crashes")


def test_it_is_exported_and_compared(made: Path, tmp_path: Path) -> None:
    traced(made, "export", "--otlp", str(tmp_path / "spans.json"))
    assert "EntryApproved" in (tmp_path / "spans.json").read_text()

    assert "decisions, all equal" in traced(made, "diff", str(made), str(made))


@pytest.mark.parametrize("actor", ACTORS)
def test_an_actor_does_today_what_it_did_and_what_is_not_compared_is_listed(
    made: Path, actor: str
) -> None:
    shown = traced(made, "replay", actor)

    assert "all equal" in shown
    assert "not compared, new: " in shown


def test_a_difference_in_what_both_have_is_still_one(made: Path) -> None:
    """The words of notices are today's."""
    shown = traced(made, "replay", "notifier", code=1)

    assert "ends differently than recorded" in shown


def test_fields_of_one_side_are_left_out_and_named() -> None:
    unshared: set[str] = set()
    then = {"kept": 1, "gone": 2, "values": [{"name": "a", "figure": 1.0}]}
    now = {"kept": 3, "values": [{"name": "b"}, {"name": "a", "figure": 1.0, "label": "A"}]}

    found = shared_fields(then, now, "M", unshared)

    assert found == (
        {"kept": 1, "values": {"a": {"name": "a", "figure": 1.0}}},
        {"kept": 3, "values": {"a": {"name": "a", "figure": 1.0}}},
    )
    assert unshared == {
        "dropped: M.gone",
        "new: M.values.b",
        "new: M.values.a.label",
    }
