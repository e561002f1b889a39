"""The whole system with a Telegram that hangs: it trades on, and people hear of all at last."""

import sqlite3
from contextlib import closing
from pathlib import Path

from tests.notices.bot_api import TOKEN, running_bot_api
from tests.system.floor import floor


def notices(file: Path, kind: str) -> list[str]:
    with closing(sqlite3.connect(file)) as database:
        rows = database.execute("SELECT text FROM notice WHERE kind = ? ORDER BY id", (kind,))
        return [row[0] for row in rows.fetchall()]


def test_a_telegram_that_hangs_delays_no_trade_and_hears_of_each_in_the_end(tmp_path: Path) -> None:
    with running_bot_api() as api:
        api.faults.append("hang")
        environ = {
            "TELEGRAM_BOT_TOKEN": TOKEN,
            "TELEGRAM_ADMIN_CHAT_ID": "77",
            "TELEGRAM_SERVER": api.url,
        }
        with floor(tmp_path / "run", environ=environ) as here:
            here.wait_for_trades(2)
            assert api.sent == []  # the first notice still hangs
            api.over.set()
            here.wait(lambda: any("closed" in text for text in api.texts()), "a trade is told")
            trades = len(here.trades())
        exits = notices(tmp_path / "run" / "journal.sqlite", "exit")
        starts = notices(tmp_path / "run" / "journal.sqlite", "system")

    spills = [
        file.name
        for file in (tmp_path / "run").rglob("*")
        if file.is_file() and TOKEN.partition(":")[2].encode() in file.read_bytes()
    ]
    assert spills == []
    assert len(exits) >= trades >= 2
    assert starts[0].startswith("🚀 Started: sim")
    assert starts[-1].startswith("🛑 Stopping: sim")
    assert "Balance 10,000.00 USDT" in starts[0]
