"""Instruments are written into a settings file from the exchange, and the rest of it stays."""

from pathlib import Path

import pytest
from typer.testing import CliRunner

from bin.candles import app
from infra.settings import load_settings
from tests.venues.simulator.clients import running

MINE = """\
# mine
portfolio:
  assets:   # two
    - symbol: ETH
    - {symbol: BTCUSDT}

instruments:   # of mine
  BTCUSDT:
    qty_step: "5"   # wrong by now
    min_order_qty: "5"

  # the last one
  DOGEUSDT: {qty_step: "1", min_order_qty: "1", tick_size: "1", min_notional_value: "5",
    max_market_order_qty: "9"}

# the end
risk:
  stop_loss_pct: 0.02
"""


@pytest.fixture(scope="module")
def exchange():
    with running(speed=None) as client:
        yield client


def run(client, *words: object):
    return CliRunner().invoke(app, ["instruments", "--url", client.sim.base_url, *map(str, words)])


def instruments(file: Path) -> dict[str, dict[str, str]]:
    found = load_settings(file, environ={}, dotenv=None).instruments
    return {
        symbol: {name: str(value) for name, value in row.model_dump().items()}
        for symbol, row in found.items()
    }


SHIPPED = instruments(Path(__file__).parents[3] / "settings.yaml")


def test_the_section_is_printed_as_the_exchange_lists_them(exchange, tmp_path):
    done = run(exchange, "--symbols", "SOLUSDT,BTCUSDT")

    assert done.exit_code == 0, done.output
    (tmp_path / "my.yaml").write_text(done.stdout)
    assert instruments(tmp_path / "my.yaml") == SHIPPED
    assert done.stdout.startswith('instruments:\n  SOLUSDT:\n    qty_step: "0.1"\n')


def test_a_file_gets_what_its_assets_need_and_keeps_its_comments_and_the_rest(exchange, tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text(MINE)

    done = run(exchange, "--settings", file)

    assert done.exit_code == 0, done.output
    found, text = instruments(file), file.read_text()
    assert found["BTCUSDT"] == SHIPPED["BTCUSDT"]
    assert found["ETHUSDT"] == SHIPPED["ETHUSDT"]
    assert found["DOGEUSDT"]["max_market_order_qty"] == "9"
    kept = [line for line in MINE.splitlines() if "wrong" not in line and '"5"' not in line]
    assert [line for line in text.splitlines() if line in kept] == kept
    assert load_settings(file, environ={}, dotenv=None).risk.stop_loss_pct is not None
    run(exchange, "--settings", file)
    assert file.read_text() == text


def test_a_file_without_the_section_gets_it_at_its_end(exchange, tmp_path):
    file = tmp_path / "my.yaml"
    file.write_text("risk: {stop_loss_pct: 0.02}")

    done = run(exchange, "--settings", file, "--symbols", "ETHUSDT")

    assert done.exit_code == 0, done.output
    assert file.read_text().startswith("risk: {stop_loss_pct: 0.02}\n\ninstruments:\n  ETHUSDT:\n")
    assert instruments(file) == SHIPPED


@pytest.mark.parametrize(
    ("text", "words", "told"),
    [
        (MINE, ["--symbols", "NOSUCHUSDT"], "NOSUCHUSDT: "),
        ("instruments: {}", ["--symbols", "BTCUSDT"], "expected a line for each value"),
        ("risk: {stop_loss_pct: 0.02}", [], "expected assets with their symbols"),
        ("risk: [", [], "not valid YAML"),
    ],
)
def test_what_cannot_be_written_is_one_line_and_leaves_the_file(
    exchange, tmp_path, text, words, told
):
    file = tmp_path / "my.yaml"
    file.write_text(text)

    done = run(exchange, "--settings", file, *words)

    assert done.exit_code in (1, 2)
    assert told in done.output
    assert file.read_text() == text
    assert [path.name for path in tmp_path.iterdir()] == ["my.yaml"]
