"""Another key of the account takes over while the system trades."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import asdict, replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest

from domain.errors import ConfigError
from domain.trading.orders import OrderStatus
from infra.run.rotation import KeyRotation, _after
from infra.secrets.keystore import Entry, Keystore, Pair
from infra.secrets.sources import write_new_key
from infra.store.reading import open_reading
from infra.store.unanswered import unanswered_orders
from infra.venues.bybit.api_key import check_asset_keys
from infra.venues.bybit.connection import BybitConnection
from infra.venues.bybit.credentials import Credentials
from infra.venues.modes import credentials_of
from tests.chaos.harness.journal_view import read_journal
from tests.system.floor import PATIENCE_S, Floor, floor

OLD, NEW = "sim-key", "second-key"
SECOND = Credentials(api_key=NEW, api_secret="second-secret")


@pytest.fixture(scope="module")
def here(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Floor]:
    with floor(tmp_path_factory.mktemp("keys") / "run") as running:
        running.wait_for_trades(1)
        yield running


def account_of(here: Floor) -> BybitConnection:
    account = here.connection.account
    assert isinstance(account, BybitConnection)
    return account


def add(here: Floor, **more: Any) -> None:
    key = {"api_key": NEW, "api_secret": "second-secret", **more}
    here._call("POST", "/sim/keys", key)


def is_settled(here: Floor) -> Callable[[], bool]:
    return lambda: not unanswered_orders(here.journal) and not here.differences()


def key_in_use(here: Floor) -> str:
    key = account_of(here)._rest.keys.now
    assert key is not None
    return key.api_key


def private_streams(here: Floor) -> int:
    return sum("private" in stream["path"] for stream in here.state()["streams"])


@pytest.mark.parametrize(
    ("more", "ips", "why"),
    [
        ({"uid": 7}, (), "it is of another account"),
        ({"is_read_only": True}, (), "the API key may only read"),
        ({"ips": ["10.0.0.1"]}, ("10.0.0.1", "10.0.0.2"), "does not allow the address 10.0.0.2"),
        ({"api_secret": "wrong"}, (), "the venue refuses it"),
    ],
)
def test_a_key_that_cannot_take_over_is_refused_and_the_old_one_stays(
    here: Floor, more: dict[str, Any], ips: tuple[str, ...], why: str
) -> None:
    add(here, **more)

    with pytest.raises(ConfigError, match=why) as refused:
        account_of(here).change_key(replace(SECOND, ips=ips), lambda: True)

    assert "second-secret" not in str(refused.value)
    assert key_in_use(here) == OLD
    assert private_streams(here) == 1


@pytest.mark.parametrize(
    ("more", "why"),
    [
        ({"uid": 7}, "ETH: it is of another account"),
        ({"is_read_only": True}, "ETH: the API key may only read"),
        ({"api_secret": "wrong"}, "ETH: the venue refuses it"),
    ],
)
def test_a_key_of_one_asset_that_cannot_trade_the_account_stops_a_start(
    here: Floor, more: dict[str, Any], why: str
) -> None:
    add(here, **more)
    rest = account_of(here).rest

    with pytest.raises(ConfigError, match=why) as refused:
        check_asset_keys(rest, {"BTC": rest, "ETH": rest.beside(SECOND)})

    assert "\n" not in str(refused.value)
    assert "BTC" not in str(refused.value)


def test_a_backup_address_that_a_key_does_not_allow_is_a_warning_at_the_start(here: Floor) -> None:
    add(here, ips=["10.0.0.1"])
    rest = account_of(here).rest
    other = rest.beside(replace(SECOND, ips=("10.0.0.1", "10.0.0.2")))

    assert check_asset_keys(rest, {"BTC": other}) == (
        "BTC: it does not allow the address 10.0.0.2",
    )


def test_the_old_key_stays_where_not_everything_is_settled_under_the_new_one(here: Floor) -> None:
    add(here)

    with pytest.raises(ConfigError, match="not everything was settled under it"):
        account_of(here).change_key(SECOND, lambda: False, patience_s=1.0)

    assert key_in_use(here) == OLD
    here.wait(lambda: private_streams(here) == 1, "the new stream ends")


def test_a_new_key_takes_over_amid_trades_without_a_lost_order_candle_or_booking(
    here: Floor,
) -> None:
    add(here)
    streams: list[int] = []

    def settled() -> bool:
        streams.append(private_streams(here))
        return is_settled(here)()

    account_of(here).change_key(SECOND, settled)
    here._call("DELETE", "/sim/keys", {"api_key": OLD})
    here.wait_for_trades(2)
    here.wait_until_agreed()

    assert max(streams) == 2
    assert key_in_use(here) == NEW
    view = read_journal(here.journal)
    assert not [u for _, u in view.updates if u.status is OrderStatus.REJECTED]
    ids = [execution.exec_id for _, execution in view.executions]
    assert len(ids) == len(set(ids))
    assert here.broken_promises() == []
    with closing(open_reading(here.journal)) as reading:
        rows = reading.rows("SELECT asset, open_time_ms FROM candle ORDER BY asset, open_time_ms")
    for asset in {row["asset"] for row in rows}:
        opens = [row["open_time_ms"] for row in rows if row["asset"] == asset]
        assert {later - earlier for earlier, later in pairwise(opens)} == {300_000}


def test_a_key_that_expires_soon_is_told_once_a_day(here: Floor) -> None:
    account, told, is_told = account_of(here), list[tuple[str, str]](), threading.Event()
    ending = Credentials(api_key="ending-key", api_secret="ending-secret")
    here._call("POST", "/sim/keys", {**asdict(ending), "days_left": 3})
    account.asset_rests["SOL"] = account.rest.beside(ending)

    def tell(_key: str, title: str, detail: str) -> None:
        told.append((title, detail))
        is_told.set()

    rotation = KeyRotation(None, "sim", account, here.folder, tell)
    rotation.start()
    assert is_told.wait(PATIENCE_S)
    rotation.close()
    rotation._warn()
    del account.asset_rests["SOL"]

    assert told == [("The API key of SOL expires in 3 days", "make another, and bin/keys rotate")]


def test_a_run_takes_the_next_key_of_its_keystore_and_says_what_became_of_it(
    here: Floor, tmp_path: Path
) -> None:
    write_new_key(tmp_path / "key")
    store, told = Keystore(tmp_path / "store"), list[str]()
    store.begin(f"file:{tmp_path / 'key'}")
    used = Pair(api_key=key_in_use(here), api_secret="known there")
    third, stranger = (Pair(api_key=f"{n}-key", api_secret=f"{n}-secret") for n in ("third", "no"))
    here._call("POST", "/sim/keys", {"api_key": "third-key", "api_secret": "third-secret"})
    rotation = KeyRotation(
        tmp_path / "store",
        "sim",
        account_of(here),
        here.folder,
        lambda _key, title, _detail: told.append(title),
    )

    store.change("sim", Entry(used=used, next=third))
    rotation.try_next()
    assert [_after(third, third, "", e) for e in (None, Entry(used=used, next=stranger))] == [
        None,
        Entry(used=third, next=stranger),
    ]
    taken = store.entries()["sim"]
    store.change("sim", Entry(used=third, next=stranger))
    rotation.try_next()
    rest = account_of(here).rest
    account_of(here).asset_rests["BTC"] = rest.beside(credentials_of(third))
    here._call("POST", "/sim/keys", {"api_key": "btc-key", "api_secret": "btc-secret"})
    of_btc = Pair(api_key="btc-key", api_secret="btc-secret")
    for name in ("sim/BTC", "sim/ETH", "other/BTC"):
        store.change(name, Entry(used=third, next=of_btc))
    rotation.try_next()

    assert (taken.used, taken.next, taken.refused) == (third, None, "")
    refused = store.entries()["sim"]
    assert (refused.used, refused.next) == (third, None)
    assert "the new key is not used" in refused.refused
    assert key_in_use(here) == "third-key"
    assert told == [
        "Another key of the account trades now",
        "The key was not changed",
        "Another key of BTC trades now",
    ]
    entries = store.entries()
    assert (entries["sim/BTC"].used, entries["sim/BTC"].next) == (of_btc, None)
    assert entries["sim/ETH"].next == entries["other/BTC"].next == of_btc
    here.wait_until_agreed()
