"""Secrets of settings and keystores stay out of what is stored, told and shown, also in crashes."""

import json
import sqlite3
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from actors.core.actor import whose_thread
from actors.core.system import Moment
from bin.bootstrap.recorded import build_replay
from infra.run.logs import start_run_logging
from infra.secrets.keystore import Entry, Keystore, Pair, entry_of
from infra.secrets.sources import write_new_key
from infra.settings import load_settings
from infra.settings.secrets import hiding, secrets_of
from infra.trace.frames import read_frames
from tests.replay.runs import LIVELY, finish, made_up_market

SECRETS = {
    "BYBIT_API_KEY": "planted-api-key-8314",
    "BYBIT_API_SECRET": "planted-api-secret-8314",
    "TELEGRAM_BOT_TOKEN": "831483148:planted-bot-token-8314",
    "TELEGRAM_CHANNEL_ID": "-1008314",
    "DISCORD_URL": "discord://planted-webhook-8314/planted-discord-token-8314",
}
WORDS = f"{' and '.join(SECRETS.values())}; alone: planted-discord-token-8314"
STORED = Pair(api_key="planted-stored-8314", api_secret="planted-stored-8314-secret")
NEXT = Pair(api_key="planted-next-8314", api_secret="planted-next-8314-secret")
WORDS += f"; stored: {STORED.api_key} {STORED.api_secret}, {NEXT.api_key} {NEXT.api_secret}"


def read_keystore(folder: Path) -> None:
    """Read keys as a run does: one that it trades by, and one that is to take over."""
    write_new_key(folder / "key")
    store = Keystore(folder / "store")
    store.begin(f"file:{folder / 'key'}")
    store.change("live", Entry(used=STORED, next=NEXT))
    entry_of(folder / "store", "live")


def test_secrets_in_the_words_of_crashes_reach_no_file_and_no_screen(tmp_path: Path) -> None:
    file = tmp_path / "settings.yaml"
    file.write_text(json.dumps(LIVELY))
    settings = load_settings(file, environ=SECRETS, dotenv=None)
    said: list[str] = []
    start_run_logging(
        tmp_path / "logs",
        "replay",
        settings,
        whose_thread,
        screen=said.append,
        screen_level="TRACE",
    )
    crashes = dict.fromkeys(("asset/BTC", "execution/ETH", "portfolio", "notifier"), 30)

    def crash(address: str, moment: Moment) -> None:
        if address in crashes and moment is Moment.AFTER_FACTS:
            crashes[address] -= 1
            if not crashes[address]:
                raise RuntimeError(f"not taken: {WORDS}")

    run, lockstep = build_replay(
        settings, made_up_market(3, 200), tmp_path, make_probe=lambda _: crash, is_lenient=True
    )
    read_keystore(tmp_path)  # amid the run, as keys are that take over
    finish(run, lockstep)

    stored = {path: contents(path) for path in tmp_path.rglob("*") if path.is_file()}
    stored[Path("screen")] = "".join(said)
    assert len(list(tmp_path.glob("crashes/*.crash"))) >= 4
    assert sum("not taken: " in text for text in stored.values()) >= 7
    assert [str(path) for path, text in stored.items() if "planted" in text] == []


def contents(path: Path) -> str:
    """Return all that a file holds, compressed or not."""
    parts = [path.read_bytes()]
    if path.suffix in (".trace", ".crash"):
        parts += [frame.payload() for frame in read_frames(path, [])]
    if path.suffix == ".sqlite":
        with sqlite3.connect(path) as journal:
            parts += [line.encode() for line in journal.iterdump()]
    return b"\n".join(parts).decode(errors="replace")


@given(st.text(max_size=30), st.text(max_size=30))
def test_a_text_without_a_secret_stays_as_it_is(before: str, after: str) -> None:
    hide = hiding(["planted-8314"])

    assert hide(before + after) == before + after
    assert hide(f"{before}planted-8314{after}") == f"{before}(secret){after}"


def test_the_longest_secret_comes_first_and_empty_ones_are_none() -> None:
    settings = load_settings(None, environ=SECRETS, dotenv=None)

    found = secrets_of(settings)

    assert set(SECRETS.values()) - {"-1008314"} <= set(found)
    assert "planted-discord-token-8314" in found
    assert list(map(len, found)) == sorted(map(len, found), reverse=True)
    assert all(found)
