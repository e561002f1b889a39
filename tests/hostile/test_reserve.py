"""The reserve file: what it keeps over a kill, a torn write and a full disk."""

import shutil
import subprocess
import sys
import tempfile
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.facts import Fact
from domain.market.instruments import Side
from domain.operator.commands import OperatorCommand
from domain.portfolio.protection import initial_state
from domain.trading.decisions import Close, Decision, Denial, DenialReason, Protection
from domain.trading.orders import ExitReason, Intent, OrderRequest, Purpose
from infra.store.opening import open_store
from infra.store.reserve import BALLAST_BYTES, SIZE_BYTES, Reserve
from tests.domain.builders import RULES

ROOT = Path(__file__).resolve().parents[2]
ADDRESS = "execution/BTC"


def close(attempt: int, asset: str = "BTC") -> Intent:
    request = OrderRequest(
        client_order_id=f"{asset}-1744803000-exit-{attempt}",
        asset=asset,
        side=Side.BUY,
        qty=Decimal("0.083"),
        reduce_only=True,
    )
    return Intent(
        request=request,
        decided_ms=1_744_803_000_000,
        purpose=Purpose.EXIT,
        attempt=attempt,
        reason=ExitReason.REGIME,
        signal_ms=None,
        protection_epoch=None,
    )


def panic(epoch: int) -> tuple[Fact, ...]:
    closes = tuple(
        Close(asset=f"A{number}", purpose=Purpose.OPERATOR, reason=ExitReason.OPERATOR)
        for number in range(40)
    )
    fired = Protection(
        t_ms=epoch,
        reason=ExitReason.OPERATOR,
        closes=closes,
        epoch=epoch,
        cooldown_end_ms=0,
        figures="drawdown=0.0100",
    )
    command = OperatorCommand(
        command="panic", arguments="", operator="ü", result="panic", ts_ms=epoch, is_done=True
    )
    state = replace(initial_state(Decimal("10000.50"), epoch), epoch=epoch)
    denied = Denial(
        asset="ETH",
        t_ms=epoch,
        reason=DenialReason.EMERGENCY,
        signal_ms=epoch,
        figures="reason=DRAWDOWN",
    )
    return state, Decision(t_ms=epoch, denials=(denied,), protection=fired), command


@given(data=st.data())
@settings(max_examples=25)
def test_whatever_is_added_and_discarded_the_next_process_finds_the_rest_in_order(
    data: st.DataObject,
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "r"
        reserve, wanted = Reserve(file, 1 << 15), list[tuple[Fact, ...]]()
        for number in range(data.draw(st.integers(1, 30))):
            match data.draw(st.sampled_from(["close", "panic", "discard", "restart"])):
                case "close":
                    assert reserve.add(ADDRESS, [close(number)], number)
                    wanted.append((close(number),))
                case "panic" if len(wanted) < 3:
                    assert reserve.add(ADDRESS, panic(number), number)
                    wanted.append(panic(number))
                case "discard" if wanted:
                    index = data.draw(st.integers(0, len(wanted) - 1))
                    reserve.discard(reserve.records()[index])
                    del wanted[index]
                case "restart":
                    reserve.close()
                    reserve = Reserve(file, 1 << 15)
            assert [record.facts for record in reserve.records()] == wanted
            assert reserve.is_kept
        reserve.close()


@pytest.mark.parametrize("at", [0, 3, 30, 200])
def test_a_torn_record_is_as_if_it_had_never_begun_and_hides_no_other(
    tmp_path: Path, at: int
) -> None:
    file = tmp_path / "r"
    reserve = Reserve(file)
    for attempt in (1, 2, 3):
        reserve.add(ADDRESS, [close(attempt)], attempt)
    second = reserve.records()[1]
    reserve.close()
    assert second.offset is not None
    data = bytearray(file.read_bytes())
    data[second.offset + at] ^= 0xFF
    file.write_bytes(data)

    again = Reserve(file)

    assert [record.facts for record in again.records()] == [(close(1),), (close(3),)]
    again.close()


def test_a_kill_between_booking_and_marking_books_nothing_twice(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "r")
    journals = open_store(tmp_path / "j", lambda: 7, busy_timeout_ms=100, reserve=reserve)
    with journals.connected():
        writer = journals.open(ADDRESS, lambda: None)
        assert writer.keep(close(1))
        shutil.copy(tmp_path / "r", tmp_path / "as-it-was")
        writer.append(close(1))
        assert reserve.records() == []
        reserve.close()

        killed = Reserve(tmp_path / "as-it-was")
        again = open_store(tmp_path / "j", lambda: 7, busy_timeout_ms=100, reserve=killed)
        assert len(killed.records()) == 1
        assert again.open(ADDRESS, lambda: None).kept() == []
        assert killed.records() == []
        killed.close()


def test_a_late_booking_says_when_it_was_recorded(tmp_path: Path) -> None:
    now_ms = [5]
    journals = open_store(
        tmp_path / "j", lambda: now_ms[0], busy_timeout_ms=100, reserve=Reserve(tmp_path / "r")
    )
    with journals.connected():
        writer = journals.open(ADDRESS, lambda: None)
        writer.keep(close(1))
        now_ms[0] = 500
        writer.append(close(1))
        found = journals.database.execute_sql("SELECT recorded_ms FROM fact").fetchall()
    assert found == [(5,)]
    journals.reserve.close()


def test_a_fact_that_cannot_be_hashed_is_stored_while_another_waits(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "r")
    journals = open_store(tmp_path / "j", lambda: 7, busy_timeout_ms=100, reserve=reserve)
    opened = replace(close(2), terms=RULES.asset("BTC").terms)
    with journals.connected():
        writer = journals.open(ADDRESS, lambda: None)
        writer.keep(close(1))
        writer.append(opened)
        assert [record.facts for record in reserve.records()] == [(close(1),)]
        writer.append(close(1))
        assert reserve.records() == []
    reserve.close()


def test_where_it_cannot_be_written_a_record_is_kept_in_memory_and_written_once_it_can_be(
    tmp_path: Path,
) -> None:
    folder = tmp_path / "gone"
    reserve = Reserve(folder / "r")
    assert not reserve.is_allocated

    assert not reserve.add(ADDRESS, [close(1)], 1)
    assert not reserve.is_kept
    assert [record.facts for record in reserve.records(ADDRESS)] == [(close(1),)]

    folder.mkdir()
    assert reserve.allocate()
    assert reserve.is_kept
    reserve.close()
    again = Reserve(folder / "r")
    assert [record.facts for record in again.records()] == [(close(1),)]
    again.close()


def test_a_record_that_finds_no_room_in_it_is_kept_in_memory(tmp_path: Path) -> None:
    reserve = Reserve(tmp_path / "r", 1024)
    kept = [reserve.add(ADDRESS, [close(attempt)], attempt) for attempt in range(3)]

    assert kept[0]
    assert not kept[-1]
    assert len(reserve.records()) == 3
    reserve.close()


ON_A_FULL_DISK = """
import os, sys
from pathlib import Path
from infra.store.reserve import Reserve
from tests.hostile.test_reserve import ADDRESS, close
folder = Path(sys.argv[1])
reserve = Reserve(folder / "r")
with open(folder / "filler", "wb", buffering=0) as out:
    try:
        while True:
            out.write(bytes(4096))
    except OSError:
        pass
assert os.statvfs(folder).f_bavail == 0
assert all(reserve.add(ADDRESS, [close(n)], n) for n in range(300))
reserve.close()
again = Reserve(folder / "r")
assert [r.facts for r in again.records()] == [(close(n),) for n in range(300)]
again.make_room()
assert not again.is_allocated and again.is_kept
assert os.statvfs(folder).f_bavail > 0
assert again.add(ADDRESS, [close(300)], 300)
print("written")
"""


def test_writing_into_it_needs_no_page_of_a_disk_that_is_really_full(tmp_path: Path) -> None:
    if shutil.which("unshare") is None:
        pytest.skip("a small disk needs unshare")
    size = SIZE_BYTES + BALLAST_BYTES + (1 << 20)
    mount = f"mount -t tmpfs -o size={size} none {tmp_path}"
    probe = subprocess.run(["unshare", "-m", "sh", "-c", mount], check=False, capture_output=True)
    if probe.returncode:
        pytest.skip("a small disk can be mounted by root alone")

    inside = ["unshare", "-m", "sh", "-c", f'{mount} && exec "$@"', "-"]
    done = subprocess.run(
        [*inside, sys.executable, "-c", ON_A_FULL_DISK, str(tmp_path)],
        cwd=ROOT,
        env={"PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.stdout == "written\n", done.stderr
