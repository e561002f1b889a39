"""Candle files: three formats with one meaning, and the first wrong row by name."""

import gzip
import io
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyarrow import parquet

from domain.errors import BadDataError, ConfigError
from domain.market.candles import CandleSeries
from infra.candles.files import read_candles

CANDLE_MS = 300_000
START_MS = 1_743_699_900_000
HEADER = ("open_time", "open", "high", "low", "close", "volume")
SUFFIXES = (".parquet", ".csv", ".csv.gz")
TIME = "integer ms since 1970 UTC, from 2009 to 2100"

Rows = list[list[Any]]


def some_rows(n: int = 12) -> Rows:
    """Return n candles without a gap: open 100 + i, high + 0.5, low - 0.75, close + 0.1."""
    return [
        [START_MS + i * CANDLE_MS, 100.0 + i, 100.5 + i, 99.25 + i, 100.1 + i, 7.5 + i]
        for i in range(n)
    ]


def csv_bytes(rows: Rows, header: Sequence[str] = HEADER) -> bytes:
    lines = [",".join(header), *(",".join(str(cell) for cell in row) for row in rows)]
    return "".join(f"{line}\n" for line in lines).encode()


def parquet_bytes(columns: Sequence[Any], header: Sequence[str] = HEADER) -> bytes:
    buffer = io.BytesIO()
    parquet.write_table(pa.table([pa.array(column) for column in columns], names=header), buffer)
    return buffer.getvalue()


def encode(suffix: str, rows: Rows, header: Sequence[str] = HEADER) -> bytes:
    if suffix == ".parquet":
        return parquet_bytes(list(zip(*rows, strict=True)), header)
    data = csv_bytes(rows, header)
    return gzip.compress(data) if suffix == ".csv.gz" else data


def write(directory: Path, suffix: str, data: bytes, symbol: str = "BTCUSDT") -> Path:
    path = directory / f"{symbol}{suffix}"
    path.write_bytes(data)
    return path


def read_one(directory: Path, **limits: int) -> CandleSeries:
    return read_candles(directory, ["BTCUSDT"], candle_ms=CANDLE_MS, **limits)["BTCUSDT"]


def bad_data(directory: Path) -> str:
    with pytest.raises(BadDataError) as caught:
        read_one(directory)
    return str(caught.value)


def bad_request(directory: Path, *symbols: str, **limits: int) -> str:
    with pytest.raises(ConfigError) as caught:
        read_candles(directory, symbols or ["BTCUSDT"], candle_ms=CANDLE_MS, **limits)
    return str(caught.value)


def where(suffix: str, i: int) -> str:
    """Return the name of row i (0, 1, ...) for people."""
    return f"row {i + 1}" if suffix == ".parquet" else f"line {i + 2}"


def assert_same(one: CandleSeries, other: CandleSeries) -> None:
    for name in ("open_time_ms", "open", "high", "low", "close", "volume", "carried"):
        left, right = getattr(one, name), getattr(other, name)
        assert left.dtype == right.dtype, name
        np.testing.assert_array_equal(left, right, err_msg=name)


@pytest.fixture(params=SUFFIXES)
def suffix(request: pytest.FixtureRequest) -> str:
    return request.param


# What is read.


def test_columns_are_found_by_name_and_others_are_ignored(tmp_path: Path, suffix: str) -> None:
    rows = [["a,b" if suffix == ".parquet" else '"a,b"', *reversed(row)] for row in some_rows(3)]
    write(tmp_path, suffix, encode(suffix, rows, ["note", *reversed(HEADER)]))

    series = read_one(tmp_path)

    assert series.open_time_ms.tolist() == [START_MS, START_MS + 300_000, START_MS + 600_000]
    assert series.open.tolist() == [100.0, 101.0, 102.0]
    assert series.high.tolist() == [100.5, 101.5, 102.5]
    assert series.low.tolist() == [99.25, 100.25, 101.25]
    assert series.close.tolist() == [100.1, 101.1, 102.1]
    assert series.volume.tolist() == [7.5, 8.5, 9.5]
    assert series.carried.tolist() == [False, False, False]


def test_gap_in_a_file_is_carried_forward_and_counted(tmp_path: Path, suffix: str) -> None:
    rows = some_rows()
    del rows[4:6]
    write(tmp_path, suffix, encode(suffix, rows))

    series = read_one(tmp_path)

    assert len(series) == 12
    assert np.flatnonzero(series.carried).tolist() == [4, 5]
    assert series.open[3:7].tolist() == [103.0, 103.1, 103.1, 106.0]


def test_csv_number_is_exactly_what_its_text_says(tmp_path: Path) -> None:
    texts = ["0.1000000000000000055511151231257827", "3e-1", "0.30000000000000004", "0.2999999"]
    write(tmp_path, ".csv", csv_bytes([[START_MS, "0.3", texts[2], *texts[:2], texts[3]]]))

    candle = read_one(tmp_path).candle(0)

    found = (candle.low, candle.close, candle.high, candle.volume)
    assert found == tuple(float(text) for text in texts)


def test_whole_numbers_and_several_row_groups_of_a_parquet_file_are_read(tmp_path: Path) -> None:
    rows = some_rows()
    columns = [list(column) for column in zip(*rows, strict=True)]
    columns[4] = [int(close) for close in columns[4]]
    table = pa.table(columns, names=HEADER)
    parquet.write_table(table, tmp_path / "BTCUSDT.parquet", row_group_size=5)

    series = read_one(tmp_path)

    assert series.close.tolist() == columns[4]
    assert series.close.dtype == np.float64


def test_parquet_column_whose_name_goes_on_after_a_dot_is_another_one(tmp_path: Path) -> None:
    rows = [[1.0, *row] for row in some_rows()]
    write(tmp_path, ".parquet", encode(".parquet", rows, ["open.interest", *HEADER]))

    assert read_one(tmp_path).open[:2].tolist() == [100.0, 101.0]


def test_no_symbols_give_no_series(tmp_path: Path) -> None:
    assert read_candles(tmp_path, [], candle_ms=CANDLE_MS) == {}


def test_real_files_are_read_whole(shared_data: Path) -> None:
    directory = shared_data / "market" / "bybit_perp_2025-04_2025-07"

    candles = read_candles(directory, ["SOLUSDT", "BTCUSDT", "ETHUSDT"], candle_ms=CANDLE_MS)

    assert list(candles) == ["SOLUSDT", "BTCUSDT", "ETHUSDT"]
    assert {len(series) for series in candles.values()} == {25_919}
    assert sum(series.carried.sum() for series in candles.values()) == 0
    first = candles["BTCUSDT"].candle(0)
    assert (first.open_time_ms, first.open, first.high) == (1_743_699_900_000, 81794.8, 81998.1)
    assert (first.low, first.close, first.volume) == (81785.2, 81804.9, 317.956)


def test_three_formats_of_the_same_real_candles_give_the_same_series(
    shared_data: Path, tmp_path: Path
) -> None:
    source = shared_data / "market" / "binance_perp_2023-11_2024-05" / "SOLUSDT.parquet"
    table = parquet.read_table(source, columns=list(HEADER)).slice(0, 3000)
    rows = [list(row.values()) for row in table.to_pylist()]
    write(tmp_path, ".csv", encode(".csv", rows), "PLAIN")
    write(tmp_path, ".csv.gz", encode(".csv.gz", rows), "PACKED")
    write(tmp_path, ".parquet", encode(".parquet", rows), "COLUMNS")

    plain, packed, columns = read_candles(
        tmp_path, ["PLAIN", "PACKED", "COLUMNS"], candle_ms=CANDLE_MS
    ).values()

    assert len(plain) == 3000
    assert_same(plain, columns)
    assert_same(packed, columns)


def test_programs_that_read_no_file_do_not_load_pyarrow() -> None:
    code = "import sys, infra.candles.files; sys.exit('pyarrow' in sys.modules)"

    root = Path(__file__).resolve().parents[2]
    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=False, timeout=60)

    assert done.returncode == 0


# The range.


def test_a_parquet_file_is_read_without_pandas(tmp_path: Path) -> None:
    write(tmp_path, ".parquet", encode(".parquet", some_rows()))
    root = Path(__file__).resolve().parents[2]
    code = (
        "import sys; from pathlib import Path; from infra.candles.files import read_candles;"
        f"read_candles(Path({str(tmp_path)!r}), ['BTCUSDT'], candle_ms={CANDLE_MS});"
        "sys.exit('pandas' in sys.modules)"
    )

    done = subprocess.run([sys.executable, "-c", code], cwd=root, check=False, timeout=60)

    assert done.returncode == 0


def test_range_keeps_candles_opened_from_and_closed_by_its_ends(tmp_path: Path) -> None:
    write(tmp_path, ".csv", csv_bytes(some_rows()))

    whole = read_one(tmp_path)
    exact = read_one(tmp_path, from_ms=START_MS + 2 * CANDLE_MS, to_ms=START_MS + 5 * CANDLE_MS)
    between = read_one(
        tmp_path, from_ms=START_MS + 2 * CANDLE_MS - 1, to_ms=START_MS + 5 * CANDLE_MS + 1
    )
    inside = read_one(
        tmp_path, from_ms=START_MS + 2 * CANDLE_MS + 1, to_ms=START_MS + 5 * CANDLE_MS - 1
    )

    assert len(whole) == 12
    assert exact.open.tolist() == [102.0, 103.0, 104.0]
    assert between.open.tolist() == [102.0, 103.0, 104.0]
    assert inside.open.tolist() == [103.0]


def test_range_with_one_end_reaches_to_the_other_end_of_the_file(tmp_path: Path) -> None:
    write(tmp_path, ".csv", csv_bytes(some_rows()))

    late = read_one(tmp_path, from_ms=START_MS + 10 * CANDLE_MS)
    early = read_one(tmp_path, to_ms=START_MS + 2 * CANDLE_MS)

    assert late.open.tolist() == [110.0, 111.0]
    assert early.open.tolist() == [100.0, 101.0]


def test_range_that_begins_inside_a_gap_begins_with_carried_candles(tmp_path: Path) -> None:
    rows = some_rows()
    del rows[4:7]
    write(tmp_path, ".csv", csv_bytes(rows))

    series = read_one(tmp_path, from_ms=START_MS + 5 * CANDLE_MS)

    assert series.carried[:3].tolist() == [True, True, False]
    assert series.close[:3].tolist() == [103.1, 103.1, 107.1]


def test_range_may_reach_beyond_one_symbol_where_another_has_candles(tmp_path: Path) -> None:
    write(tmp_path, ".csv", csv_bytes(some_rows()[:6]), "OLD")
    write(tmp_path, ".csv", csv_bytes(some_rows()[4:]), "YOUNG")

    candles = read_candles(
        tmp_path,
        ["OLD", "YOUNG"],
        candle_ms=CANDLE_MS,
        from_ms=START_MS,
        to_ms=START_MS + 12 * CANDLE_MS,
    )

    assert [len(series) for series in candles.values()] == [6, 8]


@pytest.mark.parametrize(
    "limits",
    [
        {"from_ms": START_MS - 1},
        {"to_ms": START_MS + 12 * CANDLE_MS + 1},
        {"from_ms": START_MS + 12 * CANDLE_MS},
        {"to_ms": START_MS},
        {"from_ms": START_MS + 2 * CANDLE_MS, "to_ms": START_MS + 2 * CANDLE_MS},
        {"from_ms": START_MS + 3 * CANDLE_MS, "to_ms": START_MS + 2 * CANDLE_MS},
        {"from_ms": -(10**30), "to_ms": 10**30},
    ],
)
def test_range_outside_the_data_or_without_length_is_refused(
    tmp_path: Path, limits: dict[str, int]
) -> None:
    write(tmp_path, ".csv", csv_bytes(some_rows()))

    message = bad_request(tmp_path, **limits)

    assert message.startswith("candles from ")
    assert message.endswith(
        ": expected a range within 2025-04-03T17:05:00Z to 2025-04-03T18:05:00Z,"
        " which the files span"
    )


@pytest.mark.parametrize("to_ms", [START_MS + 8 * CANDLE_MS, START_MS + 9 * CANDLE_MS - 1])
def test_range_without_a_candle_of_some_symbol_is_refused(tmp_path: Path, to_ms: int) -> None:
    write(tmp_path, ".csv", csv_bytes(some_rows()), "OLD")
    write(tmp_path, ".csv", csv_bytes(some_rows()[8:]), "YOUNG")

    message = bad_request(tmp_path, "OLD", "YOUNG", to_ms=to_ms)

    assert message.startswith("candles from 2025-04-03T17:05:00Z to 2025-04-03T17:4")
    assert message.endswith(
        ": found no candle of YOUNG, whose file spans 2025-04-03T17:45:00Z to 2025-04-03T18:05:00Z"
    )


# Files.


def test_missing_directory_is_refused(tmp_path: Path) -> None:
    message = bad_request(tmp_path / "nowhere")

    assert message == (
        f"{tmp_path / 'nowhere'}: found no such directory, expected one of candle files"
    )


def test_missing_file_is_refused_with_the_names_it_may_have(tmp_path: Path) -> None:
    write(tmp_path, ".csv", csv_bytes(some_rows()))

    message = bad_request(tmp_path, "BTCUSDT", "ETHUSDT")

    assert message == (
        f"{tmp_path}: found none, expected exactly one of"
        " ETHUSDT.parquet, ETHUSDT.csv, ETHUSDT.csv.gz"
    )


@pytest.mark.parametrize("other", [".parquet", ".csv.gz"])
def test_two_files_of_one_symbol_are_refused(tmp_path: Path, other: str) -> None:
    write(tmp_path, ".csv", csv_bytes(some_rows()))
    write(tmp_path, other, encode(other, some_rows()))

    message = bad_request(tmp_path)

    assert message.startswith(f"{tmp_path}: found BTCUSDT.")
    assert f"BTCUSDT{other}" in message.partition(", expected exactly one of")[0]


def test_file_that_cannot_be_opened_is_refused(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"BTCUSDT{suffix}"
    path.mkdir()

    assert (
        bad_request(tmp_path)
        == f"{path}: cannot be opened: found a folder, expected a regular file"
    )


# Columns.


@pytest.mark.parametrize("name", HEADER)
def test_missing_column_is_named(tmp_path: Path, suffix: str, name: str) -> None:
    header = [f"{name}_" if column == name else column for column in HEADER]
    path = write(tmp_path, suffix, encode(suffix, some_rows(), header))

    message = bad_data(tmp_path)

    place = "schema" if suffix == ".parquet" else "line 1"
    assert message == (
        f"{path}: {place}: found 0 columns named {name} in '{', '.join(header)}',"
        " expected exactly 1"
    )


def test_duplicate_column_is_named(tmp_path: Path, suffix: str) -> None:
    header = [*HEADER, "close"]
    path = write(tmp_path, suffix, encode(suffix, [[*row, 1.0] for row in some_rows()], header))

    message = bad_data(tmp_path)

    place = "schema" if suffix == ".parquet" else "line 1"
    assert message == (
        f"{path}: {place}: found 2 columns named close in '{', '.join(header)}', expected exactly 1"
    )


@pytest.mark.parametrize("unit", ["ms", "us", "ns"])
def test_timestamps_in_a_parquet_file_are_refused_with_what_is_expected(
    tmp_path: Path, unit: str
) -> None:
    times, *columns = zip(*some_rows(), strict=True)
    stamps = pa.array(times, pa.timestamp("ms")).cast(pa.timestamp(unit))
    path = write(tmp_path, ".parquet", parquet_bytes([stamps, *columns]))

    message = bad_data(tmp_path)

    assert message == (
        f"{path}: column open_time: found type timestamp[{unit}], expected int64, {TIME}"
    )


@pytest.mark.parametrize("kind", [pa.string(), pa.float32(), pa.bool_()])
def test_wrong_type_of_a_price_in_a_parquet_file_is_refused(
    tmp_path: Path, kind: pa.DataType
) -> None:
    columns: list[Any] = list(zip(*some_rows(), strict=True))
    columns[2] = pa.array(columns[2]).cast(kind)
    path = write(tmp_path, ".parquet", parquet_bytes(columns))

    message = bad_data(tmp_path)

    assert message == f"{path}: column high: found type {kind}, expected double or int64"


@pytest.mark.parametrize(
    "time", [str(START_MS + 7 * CANDLE_MS) + ".0", "2025-04-03", "", "9" * 30, "9" * 5000]
)
def test_csv_time_that_is_no_integer_is_refused(tmp_path: Path, time: str) -> None:
    rows = some_rows()
    rows[7][0] = time
    path = write(tmp_path, ".csv", csv_bytes(rows))

    message = bad_data(tmp_path)

    assert message == (
        f"{path}: line 9, column open_time: found {f'{time!r:.60}'}, expected {TIME}"
    )


@pytest.mark.parametrize("name", HEADER[1:])
@pytest.mark.parametrize("text", ["12;5", "", "0x10", "abc"])
def test_csv_text_that_is_no_number_is_refused(tmp_path: Path, name: str, text: str) -> None:
    rows = some_rows()
    rows[7][HEADER.index(name)] = text
    path = write(tmp_path, ".csv", csv_bytes(rows))

    message = bad_data(tmp_path)

    assert message == f"{path}: line 9, column {name}: found {text!r}, expected a number"


@pytest.mark.parametrize("name", HEADER)
def test_null_in_a_parquet_file_is_refused(tmp_path: Path, name: str) -> None:
    rows = some_rows()
    rows[7][HEADER.index(name)] = None
    rows[9] = [None] * 6
    path = write(tmp_path, ".parquet", encode(".parquet", rows))

    message = bad_data(tmp_path)

    assert message == f"{path}: row 8, column {name}: found null, expected a number"


@pytest.mark.parametrize("cells", [0, 5, 7])
def test_csv_line_of_another_width_is_refused(tmp_path: Path, cells: int) -> None:
    rows = some_rows()
    rows[7] = [*rows[7], 1.0][:cells]
    path = write(tmp_path, ".csv", csv_bytes(rows))

    message = bad_data(tmp_path)

    assert message == f"{path}: line 9: found {cells} columns, expected 6 as in line 1"


def test_csv_cell_over_two_lines_is_refused(tmp_path: Path) -> None:
    rows = [[*row, "note"] for row in some_rows()]
    rows[7][-1] = '"two\nlines"'
    path = write(tmp_path, ".csv", csv_bytes(rows, [*HEADER, "note"]))

    message = bad_data(tmp_path)

    assert message == f"{path}: line 9: found a cell with a line break, expected one row per line"


def test_csv_quote_that_never_ends_is_refused(tmp_path: Path) -> None:
    rows = some_rows()
    rows[11][0] = f'"{rows[11][0]}'
    path = write(tmp_path, ".csv", csv_bytes(rows))

    message = bad_data(tmp_path)

    assert message == f"{path}: line 13: found unexpected end of data, expected csv"


# Values.


def refused_cell(directory: Path, suffix: str, name: str, value: Any) -> str:
    """Put the value into row 7 (from 0) and return the error without the file's name."""
    rows = some_rows()
    rows[7][HEADER.index(name)] = value
    path = write(directory, suffix, encode(suffix, rows))
    message = bad_data(directory)
    file_and_place = f"{path}: {where(suffix, 7)}, column "
    assert message.startswith(file_and_place)
    return message.removeprefix(file_and_place)


@pytest.mark.parametrize("name", HEADER[1:])
@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_number_that_is_not_finite_is_refused(
    tmp_path: Path, suffix: str, name: str, value: float
) -> None:
    message = refused_cell(tmp_path, suffix, name, value)

    assert message == f"{name}: found {value}, expected a finite number"


@pytest.mark.parametrize("name", HEADER[1:5])
@pytest.mark.parametrize("value", [0.0, -1.5])
def test_price_that_is_not_positive_is_refused(
    tmp_path: Path, suffix: str, name: str, value: float
) -> None:
    message = refused_cell(tmp_path, suffix, name, value)

    assert message == f"{name}: found {value}, expected a price above 0"


def test_negative_volume_is_refused_and_none_is_not(tmp_path: Path, suffix: str) -> None:
    message = refused_cell(tmp_path, suffix, "volume", -0.5)
    rows = some_rows()
    rows[7][5] = 0.0
    write(tmp_path, suffix, encode(suffix, rows))

    assert message == "volume: found -0.5, expected 0 or more"
    assert read_one(tmp_path).volume[7] == 0


def test_high_below_the_low_is_refused(tmp_path: Path, suffix: str) -> None:
    message = refused_cell(tmp_path, suffix, "high", 106.0)

    assert message == "high: found 106.0, expected the low 106.25 or more"


@pytest.mark.parametrize("name", ["open", "close"])
@pytest.mark.parametrize("value", [106.0, 107.75])
def test_open_or_close_outside_low_and_high_is_refused(
    tmp_path: Path, suffix: str, name: str, value: float
) -> None:
    message = refused_cell(tmp_path, suffix, name, value)

    assert (
        message == f"{name}: found {value}, expected a price from the low 106.25 to the high 107.5"
    )


def test_candle_of_one_price_is_valid(tmp_path: Path, suffix: str) -> None:
    rows = some_rows()
    rows[7][1:5] = [107.0] * 4
    write(tmp_path, suffix, encode(suffix, rows))

    assert read_one(tmp_path).high[7] == 107


# Times.


def test_duplicate_candle_is_refused(tmp_path: Path, suffix: str) -> None:
    time = START_MS + 6 * CANDLE_MS

    message = refused_cell(tmp_path, suffix, "open_time", time)

    assert message == f"open_time: found {time}, expected no duplicate of the candle before"


def test_candle_out_of_order_is_refused(tmp_path: Path, suffix: str) -> None:
    time, before = START_MS + 2 * CANDLE_MS, START_MS + 6 * CANDLE_MS

    message = refused_cell(tmp_path, suffix, "open_time", time)

    assert message == (
        f"open_time: found {time}, expected rising order: later than {before} of the candle before"
    )


@pytest.mark.parametrize("shift_ms", [1, -1, CANDLE_MS // 2])
def test_time_off_the_grid_is_refused(tmp_path: Path, suffix: str, shift_ms: int) -> None:
    time = START_MS + 7 * CANDLE_MS + shift_ms

    message = refused_cell(tmp_path, suffix, "open_time", time)

    assert message == f"open_time: found {time}, expected a multiple of the candle's 300000 ms"


def test_candles_of_another_length_are_off_the_grid(tmp_path: Path) -> None:
    rows = [[START_MS + i * 60_000, *row[1:]] for i, row in enumerate(some_rows())]
    path = write(tmp_path, ".csv", csv_bytes(rows))

    message = bad_data(tmp_path)

    assert message == (
        f"{path}: line 3, column open_time: found {START_MS + 60_000},"
        " expected a multiple of the candle's 300000 ms"
    )


@pytest.mark.parametrize(
    ("unit", "times_of"),
    [
        ("seconds", lambda ms: ms // 1000),
        ("microseconds", lambda ms: ms * 1000),
        ("nanoseconds", lambda ms: ms * 1_000_000),
    ],
)
def test_times_in_another_unit_are_refused_with_its_name(
    tmp_path: Path, suffix: str, unit: str, times_of: Any
) -> None:
    rows = [[times_of(row[0]), *row[1:]] for row in some_rows()]
    path = write(tmp_path, suffix, encode(suffix, rows))

    message = bad_data(tmp_path)

    assert message == (
        f"{path}: {where(suffix, 0)}, column open_time:"
        f" found {rows[0][0]} (which looks like {unit}), expected {TIME}"
    )


@pytest.mark.parametrize("time", [0, -CANDLE_MS, 1_230_767_700_000, 4_102_444_800_000, 2**63 - 1])
def test_time_of_another_age_is_refused(tmp_path: Path, suffix: str, time: int) -> None:
    message = refused_cell(tmp_path, suffix, "open_time", time)

    assert message.startswith(f"open_time: found {time}")
    assert message.endswith(f"expected {TIME}")


# The first wrong row, whatever is wrong with it.


def test_first_of_several_wrong_rows_is_reported(tmp_path: Path, suffix: str) -> None:
    rows = some_rows()
    rows[9][0] += 1
    rows[3][5] = -1.0
    rows[6][1] = float("nan")
    path = write(tmp_path, suffix, encode(suffix, rows))

    message = bad_data(tmp_path)

    assert message == (f"{path}: {where(suffix, 3)}, column volume: found -1.0, expected 0 or more")


@pytest.mark.parametrize("cell", ["abc", "1,2", '"', "\xff"])
def test_wrong_value_is_reported_before_a_later_line_that_cannot_be_read(
    tmp_path: Path, cell: str
) -> None:
    rows = some_rows()
    rows[3][5] = -1.0
    rows[6][1] = cell
    path = write(tmp_path, ".csv", csv_bytes(rows).replace("\xff".encode(), b"\xff"))

    message = bad_data(tmp_path)

    assert message == f"{path}: line 5, column volume: found -1.0, expected 0 or more"


def test_wrong_value_is_reported_before_a_later_null(tmp_path: Path) -> None:
    rows = some_rows()
    rows[3][5] = -1.0
    rows[6][0] = None
    path = write(tmp_path, ".parquet", encode(".parquet", rows))

    message = bad_data(tmp_path)

    assert message == f"{path}: row 4, column volume: found -1.0, expected 0 or more"


# Files that are empty, cut or no such files.


def test_file_without_bytes_is_refused(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path, suffix, b"")

    message = bad_data(tmp_path)

    assert message.startswith(f"{path}: file: found ")
    assert ("corrupt or truncated" if suffix == ".parquet" else "an empty file") in message


def test_file_without_rows_is_refused(tmp_path: Path, suffix: str) -> None:
    empty = pa.schema([("open_time", pa.int64()), *((name, pa.float64()) for name in HEADER[1:])])
    if suffix == ".parquet":
        buffer = io.BytesIO()
        parquet.write_table(empty.empty_table(), buffer)
        path = write(tmp_path, suffix, buffer.getvalue())
    else:
        path = write(tmp_path, suffix, encode(suffix, []))

    assert bad_data(tmp_path) == f"{path}: file: found no rows, expected candles"


def test_truncated_parquet_file_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ".parquet", encode(".parquet", some_rows())[:-20])

    message = bad_data(tmp_path)

    assert message.startswith(f"{path}: file: found corrupt or truncated data (")
    assert message.endswith("), expected a parquet file")


def test_column_of_a_parquet_file_that_lost_rows_is_refused(tmp_path: Path) -> None:
    data = encode(".parquet", some_rows())
    twelve, eleven = b"\x18", b"\x16"  # as the format writes these counts
    messages = []
    for at in (i for i in range(len(data)) if data[i : i + 1] == twelve):
        path = write(tmp_path, ".parquet", data[:at] + eleven + data[at + 1 :])
        try:
            read_one(tmp_path)
        except BadDataError as error:
            messages.append(str(error).removeprefix(f"{path}: "))

    assert "column volume: found 11 rows, expected 12 as in the footer" in messages


def test_column_name_of_a_parquet_file_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    data = encode(".parquet", some_rows()).replace(b"volume", b"v\xfflume")
    path = write(tmp_path, ".parquet", data)

    assert bad_data(tmp_path).startswith(f"{path}: file: found corrupt or truncated data ('utf-8'")


def test_truncated_gz_file_is_refused_after_the_last_line_that_is_whole(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv.gz", encode(".csv.gz", some_rows())[:-4])

    message = bad_data(tmp_path)

    assert message.startswith(f"{path}: after line 13: found corrupt or truncated data (")
    assert message.endswith("), expected a whole file")


def test_gz_file_that_is_not_packed_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path, ".csv.gz", csv_bytes(some_rows()))

    message = bad_data(tmp_path)

    assert message.startswith(f"{path}: after line 0: found corrupt or truncated data (Not a gzip")


def test_csv_that_is_not_utf_8_is_refused(tmp_path: Path) -> None:
    data = csv_bytes(some_rows()).replace(b"107.0", "1\xa007.0".encode("latin-1"))
    path = write(tmp_path, ".csv", data)

    message = bad_data(tmp_path)

    assert message == (
        f"{path}: line 9: found bytes that are not UTF-8 (invalid start byte), expected text"
    )


# Whatever the bytes: refused, or a series that keeps its promises.


def read_bytes(suffix: str, data: bytes) -> CandleSeries | None:
    """Return the series, or None where the file is refused."""
    with TemporaryDirectory() as name:
        write(Path(name), suffix, data)
        try:
            series = read_one(Path(name))
        except BadDataError:
            return None
    assert len(series) > 0
    assert set(np.diff(series.open_time_ms)) <= {CANDLE_MS}
    assert np.all((series.low > 0) & (series.low <= series.high) & np.isfinite(series.high))
    for price in (series.open, series.close):
        assert np.all((series.low <= price) & (price <= series.high))
    assert np.all((series.volume >= 0) & np.isfinite(series.volume))
    return series


@given(st.sampled_from(SUFFIXES), st.binary(max_size=300))
def test_random_bytes_are_refused(suffix: str, data: bytes) -> None:
    assert read_bytes(suffix, data) is None


@given(st.sampled_from([".csv", ".csv.gz"]), st.binary(max_size=100))
def test_random_bytes_after_a_header_are_refused(suffix: str, data: bytes) -> None:
    text = csv_bytes([]) + data

    assert read_bytes(suffix, gzip.compress(text) if suffix == ".csv.gz" else text) is None


@given(st.sampled_from([".parquet", ".csv.gz"]), st.data())
def test_cut_parquet_or_gz_file_is_always_refused(suffix: str, data: st.DataObject) -> None:
    whole = encode(suffix, some_rows())
    length = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))

    assert read_bytes(suffix, whole[:length]) is None


@given(st.data())
def test_cut_csv_file_is_refused_or_gives_the_candles_before_the_cut(data: st.DataObject) -> None:
    whole = csv_bytes(some_rows())
    length = data.draw(st.integers(min_value=0, max_value=len(whole) - 1))

    series = read_bytes(".csv", whole[:length])

    if series is not None:
        lines = whole[:length].count(b"\n")
        assert len(series) in {lines - 1, lines}


@given(
    st.sampled_from(SUFFIXES),
    st.lists(st.tuples(st.integers(min_value=0), st.binary(max_size=3)), min_size=1, max_size=4),
)
def test_file_with_damaged_bytes_is_refused_or_valid(
    suffix: str, damages: list[tuple[int, bytes]]
) -> None:
    data = encode(suffix, some_rows())
    for place, new in damages:
        at = place % len(data)
        data = data[:at] + new + data[at + len(new) :]

    read_bytes(suffix, data)


@given(
    st.integers(min_value=0, max_value=11),
    st.sampled_from(HEADER),
    st.one_of(
        st.text(max_size=8),
        st.integers().map(str),
        st.floats().map(repr),
        st.integers(min_value=-5, max_value=20).map(lambda i: str(START_MS + i * CANDLE_MS)),
    ),
)
def test_file_with_a_replaced_cell_is_refused_or_holds_it(i: int, name: str, text: str) -> None:
    rows = some_rows()
    rows[i][HEADER.index(name)] = text

    series = read_bytes(".csv", csv_bytes(rows))

    if series is not None:
        column = series.open_time_ms if name == "open_time" else getattr(series, name)
        assert float(text) in column[~series.carried].tolist()
