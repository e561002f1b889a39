"""Funding files: what a symbol's settlements are, and what a wrong file is told."""

from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from domain.errors import BadDataError, ConfigError
from domain.market.funding import FundingHistory, funding_rate
from domain.market.instruments import HOUR_MS
from infra.candles.files import read_candles
from infra.candles.funding import read_funding
from tests.domain.builders import CANDLE_MS, RULES
from tests.replay.runs import START_MS

EIGHT_MS = 8 * HOUR_MS
FILE = "BTCUSDT.funding.parquet"


def write(folder: Path, times: list, rates: list, **types: pa.DataType) -> None:
    columns = {"time_ms": pa.array(times, types.get("time_ms")), "rate": pa.array(rates)}
    parquet.write_table(pa.table(columns), folder / FILE)


def read(folder: Path) -> FundingHistory | None:
    return read_funding(folder, "BTCUSDT", candle_ms=CANDLE_MS)


def test_without_a_file_there_is_no_history(tmp_path: Path) -> None:
    assert read(tmp_path) is None


def test_rates_are_the_decimals_that_the_file_shows(tmp_path: Path) -> None:
    write(tmp_path, [START_MS, START_MS + EIGHT_MS], [0.0001, -0.000025])

    assert read(tmp_path) == FundingHistory(
        rates={START_MS: Decimal("0.0001"), START_MS + EIGHT_MS: Decimal("-0.000025")},
        first_ms=START_MS,
        last_ms=START_MS + EIGHT_MS,
    )


@pytest.mark.parametrize("has_ours", [False, True])
def test_columns_may_have_the_names_of_other_sources_where_ours_are_not_there(
    tmp_path: Path, has_ours: bool
) -> None:
    theirs = {"symbol": ["BTC"], "funding_rate": [0.0001], "open_time": [START_MS]}
    ours = {"time_ms": [START_MS], "rate": [0.0001]}
    found = theirs | ({"open_time": [7], "funding_rate": [0.4]} | ours if has_ours else {})
    parquet.write_table(pa.table(found), tmp_path / FILE)

    assert read(tmp_path) == FundingHistory(
        rates={START_MS: Decimal("0.0001")}, first_ms=START_MS, last_ms=START_MS
    )


def test_the_constant_stands_in_outside_of_what_the_file_spans_and_nowhere_else() -> None:
    history = FundingHistory(
        rates={START_MS: Decimal("0.0003"), START_MS + 2 * EIGHT_MS: Decimal(0)},
        first_ms=START_MS,
        last_ms=START_MS + 2 * EIGHT_MS,
    )

    found = [
        funding_rate(START_MS + n * EIGHT_MS, RULES.fills.funding, history) for n in range(-1, 4)
    ]

    constant = RULES.fills.funding.rate
    assert found == [constant, Decimal("0.0003"), None, Decimal(0), constant]
    assert funding_rate(START_MS + CANDLE_MS, RULES.fills.funding, history) is None


@pytest.mark.parametrize(
    ("times", "rates", "words"),
    [
        (
            [START_MS + 1],
            [0.0],
            f"row 1, column time_ms: found {START_MS + 1}, expected",
        ),
        ([START_MS, START_MS], [0.0, 0.0], "row 2, column time_ms"),
        ([START_MS], [0.7], "row 1, column rate: found 0.7, expected a fraction"),
        ([START_MS], [float("nan")], "row 1, column rate: found nan"),
        ([START_MS, None], [0.0, 0.0], "row 2, column time_ms: found null"),
        ([START_MS], ["0.1"], "column rate: found type string, expected double"),
    ],
)
def test_wrong_rows_are_named(tmp_path: Path, times: list, rates: list, words: str) -> None:
    write(tmp_path, times, rates)

    with pytest.raises(BadDataError) as caught:
        read(tmp_path)

    assert f"{FILE}: {words}" in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_file_without_rows_or_columns_or_sense_is_refused(tmp_path: Path) -> None:
    write(tmp_path, [], [], time_ms=pa.int64())
    with pytest.raises(BadDataError):
        read(tmp_path)
    parquet.write_table(pa.table({"time_ms": [START_MS]}), tmp_path / FILE)
    with pytest.raises(BadDataError, match="0 columns named rate"):
        read(tmp_path)
    (tmp_path / FILE).write_bytes(b"nonsense")
    with pytest.raises(BadDataError, match="corrupt"):
        read(tmp_path)
    (tmp_path / FILE).unlink()
    (tmp_path / FILE).mkdir()
    with pytest.raises(ConfigError):
        read(tmp_path)


def test_candles_bring_their_funding_along(tmp_path: Path) -> None:
    write(tmp_path, [START_MS], [0.01])
    lines = [f"{START_MS + n * CANDLE_MS},10,11,9,10,1" for n in range(3)]
    text = "\n".join(["open_time,open,high,low,close,volume", *lines])
    for symbol in ("BTCUSDT", "ETHUSDT"):
        (tmp_path / f"{symbol}.csv").write_text(text)

    found = read_candles(
        tmp_path, ["BTCUSDT", "ETHUSDT"], candle_ms=CANDLE_MS, from_ms=START_MS + CANDLE_MS
    )

    assert found["BTCUSDT"].funding is not None
    assert found["BTCUSDT"].funding.rates == {START_MS: Decimal("0.01")}
    assert found["ETHUSDT"].funding is None
