"""The whole system with a Telegram that hangs: it trades on, and people hear of all at last."""

import json
import sqlite3
from contextlib import closing
from functools import partial
from io import StringIO
from pathlib import Path

from rich.console import Console

from bin.bootstrap.live_view import SteeredRun
from bin.bootstrap.operator_ways import make_commands
from bin.bootstrap.watching import surroundings_of
from domain.operator.replies import Reply, ReplyCode
from infra.operator.health.view import health_figures
from infra.operator.terminal.live.picture import Picture
from infra.operator.terminal.live.scene import Panel
from tests.operator.health.served import asked, serving
from tests.operator.notices.bot_api import TOKEN, running_bot_api
from tests.system.floor import floor
from tests.system.test_health import health_of, pages_of

_NO_REPLY = Reply(code=ReplyCode.DONE, title="")


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


def test_a_revoked_token_shows_everywhere_and_restart_notifier_starts_over(tmp_path: Path) -> None:
    environ = {"TELEGRAM_BOT_TOKEN": TOKEN, "TELEGRAM_CHANNEL_ID": "77"}
    with running_bot_api() as api:
        api.is_refusing = True
        environ["TELEGRAM_SERVER"] = api.url
        with floor(tmp_path / "run", environ=environ) as here:
            commands = make_commands(here.run, here.folder, lambda *_: _NO_REPLY, {})
            health = health_of(here)
            look_around = partial(surroundings_of, here.run, here.connection.market, health)
            here.run.inspector.look_around = look_around
            here.run.health = lambda: health_figures(health.figures)
            here.run.supervisor.on_turn = health.turn
            health.start()
            with serving(pages_of(health)) as url:
                here.wait(lambda: asked(f"{url}/readyz")[0] == 200, "the system is ready")
                carrier, tries = here.run.channels._carriers["telegram"], api.refusals
                carrier._pause_s = lambda: 600.0
                carrier.start_over()
                here.wait(lambda: api.refusals > tries, "the next try is minutes away")
                here.wait(lambda: health.figures.troubles, "the health sees it")
                status, body = asked(f"{url}/readyz")
            lines = commands.answer_text("test", "status").lines
            found = commands.answer_text("test", "health").data
            market = here.connection.market
            here.run.inspector.look_around = partial(surroundings_of, here.run, market, health)
            steered = SteeredRun(run=here.run, commands=commands, journal=here.journal, events=())
            picture = Console(width=200, record=True, file=StringIO())
            picture.print(Picture(steered.scene(Panel.ASSETS)))
            api.is_refusing = False
            reply = commands.answer_text("test", "restart notifier")
            api.wait_for(lambda: api.sent)
            here.wait(lambda: here.run.channels.troubles() == {}, "it works again")
            commands.close()
            health.close()
        told = notices(tmp_path / "run" / "journal.sqlite", "system")

    words = "telegram does not work: InvalidToken: Unauthorized"
    assert status == 200
    assert json.loads(body)["degraded"] == [words]
    assert f"🚨 {words}" in lines
    assert found["telegram"] == words.removeprefix("telegram ")
    assert words in picture.export_text()
    assert reply.code is ReplyCode.DONE
    assert [text.splitlines()[0] for text in told if "telegram takes" in text] == [
        "⚙️ telegram takes no notices",
        "⚙️ telegram takes notices again",
    ]
