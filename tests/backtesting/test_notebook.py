"""The Python face: arrays and data frames in, and what wrong ones are told."""

import re
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from domain.backtesting.notebook import backtest
from tests.backtesting.markets import Recipe, lively_rules, random_market

PAGE = Path(__file__).resolve().parents[2] / "docs" / "backtest.md"
MARKET = random_market(Recipe(seed=3, candles=600))
RULES = lively_rules()


def table(asset: str = "BTC") -> dict[str, np.ndarray]:
    found = MARKET[asset]
    prices = {name: getattr(found, name) for name in ("open", "high", "low", "close")}
    return {"open_time": found.open_time_ms} | prices


class Frame:
    """As much of a data frame as one needs to be one: columns by name, and an index of times."""

    def __init__(self, columns: dict[str, np.ndarray]) -> None:
        times = columns["open_time"].astype("datetime64[ms]").astype("datetime64[ns]")
        self.index = times
        self._columns = {name: column for name, column in columns.items() if name != "open_time"}

    def __contains__(self, name: object) -> bool:
        return name in self._columns

    def __getitem__(self, name: str) -> np.ndarray:
        return self._columns[name]

    def __iter__(self) -> Any:
        return iter(self._columns)


def test_arrays_frames_and_series_give_the_same_run() -> None:
    runs = [
        backtest({"BTC": MARKET["BTC"], "ETH": MARKET["ETH"]}, RULES),
        backtest({"BTCUSDT": table("BTC"), "ETHUSDT": table("ETH")}, RULES),
        backtest({"ETH": Frame(table("ETH")), "BTC": Frame(table("BTC"))}, RULES),
    ]

    assert len(runs[0].trades) > 5
    assert runs[0].trades == runs[1].trades == runs[2].trades
    assert runs[0].figures == runs[1].figures == runs[2].figures
    assert {trade.asset for trade in runs[0].trades} == {"BTC", "ETH"}


@pytest.mark.parametrize("zone", [None, "UTC", "Asia/Tokyo"])
@pytest.mark.parametrize("is_index", [False, True])
def test_data_frames_of_pandas_are_taken_with_their_times_in_any_zone(
    zone: str | None, is_index: bool
) -> None:
    columns = table()
    frame = pd.DataFrame(columns)
    times = pd.to_datetime(frame["open_time"], unit="ms", utc=zone is not None)
    frame["open_time"] = times if zone is None else times.dt.tz_convert(zone)
    given = frame.set_index("open_time") if is_index else frame

    run = backtest({"BTC": given}, RULES)

    assert run.trades == backtest({"BTC": columns}, RULES).trades
    assert len(run.trades) > 5
    assert list(frame.columns) == ["open_time", "open", "high", "low", "close"]


def test_what_is_given_is_left_as_it_was() -> None:
    given = {name: column.copy() for name, column in table().items()}

    backtest({"BTC": given}, RULES)

    for name, column in table().items():
        assert given[name].flags.writeable
        np.testing.assert_array_equal(given[name], column)


def without(name: str) -> dict[str, np.ndarray]:
    return {column: values for column, values in table().items() if column != name}


def with_value(column: str, row: int, value: float) -> dict[str, np.ndarray]:
    changed = {name: values.copy() for name, values in table().items()}
    changed[column][row] = value
    return changed


@pytest.mark.parametrize(
    ("data", "words"),
    [
        ({}, "expected candles of one asset or more, found none"),
        ({"DOGE": table()}, "DOGE: expected one of BTCUSDT"),
        ({"BTC": 3}, "BTC: expected a table of candles, found int"),
        ({"BTC": table(), "BTCUSDT": table()}, "expected each asset once"),
        ({"BTC": without("open_time")}, "BTC: expected a column open_time, found open, high"),
        ({"BTC": without("low")}, "BTC: expected a column low, found open_time, open"),
        ({"BTC": with_value("close", 7, np.nan)}, "BTC: row 7: expected a price above 0 in"),
        ({"BTC": with_value("low", 9, 1e9)}, "BTC: row 9: expected open between low and high"),
        ({"BTC": with_value("open_time", 2, 7)}, "BTC: row 2: expected open_time on the grid"),
        ({"BTC": with_value("open_time", 2, 0)}, "BTC: expected open times that rise"),
        ({"BTC": table() | {"high": np.ones(3)}}, "BTC: expected (600,) values in column high"),
        ({"BTC": table() | {"high": ["x"] * 600}}, "BTC: expected numbers in column high"),
        ({"BTC": table() | {"open_time": ["x"] * 600}}, "BTC: expected open_time in integer ms"),
        ({"BTC": {name: column[:0] for name, column in table().items()}}, "BTC: expected candles"),
    ],
)
def test_wrong_data_is_told_in_one_line(data: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011 - the words are compared
        backtest(data, RULES)

    assert words in str(caught.value)
    assert "\n" not in str(caught.value)


def test_the_example_of_the_page_runs() -> None:
    (example,) = re.findall(r"```python\n(.*?)```", PAGE.read_text(encoding="utf-8"), re.DOTALL)
    names = {"btc": table("BTC"), "eth": table("ETH")}

    exec(example, names)

    run: Any = names["run"]
    assert run.figures.final_balance == pytest.approx(run.equity.balance[-1])
