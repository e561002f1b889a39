"""Keys of exchanges in a keystore: encrypted, listed without being shown, used by their mode."""

import io
import threading
from pathlib import Path

import pytest
from msgspec.structs import replace

from domain.errors import ConfigError
from infra.operator.terminal.credentials import credentials_act
from infra.process.locks import FileLock
from infra.run.rekeying import rekey
from infra.secrets.keystore import Entry, Keystore, Pair, entry_of
from infra.secrets.sources import write_new_key
from infra.settings import load_settings
from infra.venues.modes import Mode, keystore_of, venue_of


@pytest.fixture
def source(tmp_path: Path) -> str:
    write_new_key(tmp_path / "key")
    return f"file:{tmp_path / 'key'}"


@pytest.fixture
def folder(tmp_path: Path, source: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return a keystore with a key of the testnet."""
    monkeypatch.setattr("sys.stdin", io.StringIO("planted-key-1234\nplanted-secret\n"))
    store = tmp_path / "store"
    credentials_act("add", store, "testnet", ["203.0.113.7"], source)
    return store


def test_a_key_is_stored_encrypted_and_listed_without_being_shown(folder: Path) -> None:
    shown = credentials_act("list", folder, None, [], None)

    assert shown == ["testnet: a key that ends in 1234, 203.0.113.7"]
    assert not [f for f in folder.iterdir() if b"planted" in f.read_bytes()]
    assert "planted" not in repr(entry_of(folder, "testnet"))
    assert (folder / "credentials.sealed").stat().st_mode & 0o777 == 0o600


def test_a_mode_trades_by_its_key_unless_the_environment_has_one(folder: Path) -> None:
    file = folder.parent / "my.yaml"
    file.write_text(f"exchange: {{keystore: '{folder}'}}\n")
    environ = {"BYBIT_API_KEY": "other", "BYBIT_API_SECRET": "one"}

    stored = venue_of(Mode.TESTNET, load_settings(file, environ={}, dotenv=None), {})
    given = venue_of(Mode.TESTNET, load_settings(file, environ=environ, dotenv=None), {})

    assert stored.credentials is not None
    assert stored.credentials.api_secret == "planted-secret"
    assert given.credentials is not None
    assert given.credentials.api_key == "other"
    assert keystore_of(load_settings(file, environ={}, dotenv=None)) == folder
    assert keystore_of(load_settings(file, environ=environ, dotenv=None)) is None  # nor rotated
    with pytest.raises(ConfigError, match="has no key for demo"):
        venue_of(Mode.DEMO, load_settings(file, environ={}, dotenv=None), {})


def test_an_asset_may_have_a_key_of_its_own_beside_the_one_of_its_mode(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = folder.parent / "my.yaml"
    file.write_text(f"exchange: {{keystore: '{folder}'}}\n")
    monkeypatch.setattr("sys.stdin", io.StringIO("key-of-btc\nsecret-of-btc\n"))

    credentials_act("add", folder, "testnet", [], None, "BTC")

    venue = venue_of(Mode.TESTNET, load_settings(file, environ={}, dotenv=None), {})
    assert {asset: key.api_key for asset, key in venue.of_assets.items()} == {"BTC": "key-of-btc"}
    assert venue.credentials is not None
    assert venue.credentials.api_key == "planted-key-1234"
    assert credentials_act("list", folder, "testnet", [], None) == [
        "testnet: a key that ends in 1234, 203.0.113.7",
        "testnet/BTC: a key that ends in -btc, any address",
    ]
    assert credentials_act("list", folder, "live", [], None) == [f"{folder}: has no key for live"]
    with pytest.raises(ConfigError, match="`bin/keys rotate testnet --asset BTC` changes it"):
        credentials_act("add", folder, "testnet", [], None, "BTC")
    with pytest.raises(ConfigError, match="has no key for live"):
        credentials_act("add", folder, None, [], None, "BTC")
    with pytest.raises(ConfigError, match="expected one of live, testnet, demo"):
        credentials_act("add", folder, "sim", [], None)
    with pytest.raises(ConfigError, match="expected an asset of the settings"):
        credentials_act("add", folder, "testnet", [], None, "BTC/USDT")


def test_a_key_is_added_once_and_removed(
    folder: Path, source: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(ConfigError, match="has a key for testnet"):
        credentials_act("add", folder, "testnet", [], source)
    monkeypatch.setattr("sys.stdin", io.StringIO("only one line\n"))
    with pytest.raises(ConfigError, match="expected a key and its secret"):
        credentials_act("add", folder, "live", [], source)

    credentials_act("remove", folder, "testnet", [], None)

    assert Keystore(folder).entries() == {}
    with pytest.raises(ConfigError, match="has no key for testnet"):
        credentials_act("rotate", folder, "testnet", [], None)


def test_a_change_waits_for_another_one_and_sees_what_it_made(folder: Path) -> None:
    store, more = Keystore(folder), Pair(api_key="more", api_secret="more")
    lock = FileLock(folder / "lock", "held by the test")
    held = threading.Event()

    def change(entry: Entry | None) -> Entry | None:
        assert held.is_set()
        return None if entry is None else replace(entry, next=more)

    thread = threading.Thread(target=store.update, args=("testnet", change))
    thread.start()
    thread.join(0.2)
    assert thread.is_alive()
    held.set()
    lock.release()
    thread.join(10)

    assert entry_of(folder, "testnet").next == more


def test_a_damaged_keystore_is_one_line(folder: Path) -> None:
    (folder / "credentials.sealed").write_bytes(b"x" * 100)

    with pytest.raises(ConfigError, match="is not a keystore, or is damaged") as refused:
        entry_of(folder, "testnet")

    assert "\n" not in str(refused.value)


def test_a_keystore_that_cannot_be_made_there_is_one_line(tmp_path: Path, source: str) -> None:
    (tmp_path / "file").touch()

    with pytest.raises(ConfigError, match="is not a writable folder: ") as refused:
        credentials_act("add", tmp_path / "file", "live", [], source)

    assert "\n" not in str(refused.value)


def test_a_folder_that_is_no_keystore_takes_no_key_in_the_open(tmp_path: Path) -> None:
    (tmp_path / "plain").mkdir()

    with pytest.raises(ConfigError, match="is not a keystore; `bin/keys add`"):
        Keystore(tmp_path / "plain").change("live", Entry(used=Pair(api_key="a", api_secret="b")))

    assert not (tmp_path / "plain" / "credentials.sealed").exists()


def test_a_keystore_opens_by_another_key_after_a_rekey_and_is_never_decrypted(folder: Path) -> None:
    write_new_key(folder.parent / "other")
    before = entry_of(folder, "testnet")

    rekey(folder, [f"file:{folder.parent / 'other'}"])
    (folder.parent / "key").unlink()

    assert entry_of(folder, "testnet") == before
    with pytest.raises(ConfigError, match="is a keystore, which is always encrypted"):
        rekey(folder, [])
    assert entry_of(folder, "testnet") == before
