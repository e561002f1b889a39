"""What was set and nothing reads is told, and what is read is not."""

from pathlib import Path

from infra.settings import load_settings
from infra.settings.unread import other_account, unread

ROOT = Path(__file__).resolve().parents[2]


def test_every_name_that_nothing_reads_is_told_with_its_place(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("# keys\nBYBIT_API_KEY=k\nREDIS_SENTINEL=localhost\nLIVE_TRADING=yes\n")
    environ = {"MAX_PATIENCE": "4", "PATH": "/bin", "BYBIT_API_SECRET": "s", "REDIS_PORT": ""}

    found = list(unread(environ, dotenv))

    assert found == [
        f"{dotenv}:3: nothing reads REDIS_SENTINEL; .env.example has all names",
        f"{dotenv}:4: LIVE_TRADING does not count there: set it where the run is started",
        "nothing reads the variable MAX_PATIENCE; .env.example has all names",
    ]


def test_all_names_of_the_example_are_read(tmp_path: Path) -> None:
    text = (ROOT / ".env.example").read_text(encoding="utf-8")
    dotenv = tmp_path / ".env"
    dotenv.write_text(text.replace("=\n", "=x\n"))

    assert list(unread({}, dotenv)) == []


def test_a_key_of_the_testnet_says_which_mode_it_asks_for() -> None:
    exchange = load_settings(None, environ={"BYBIT_TESTNET": "true"}, dotenv=None).exchange

    (line,) = other_account(exchange, "sim", has_account=False)

    assert line == (
        "BYBIT_TESTNET is true, and --mode sim trades at no account of Bybit: --mode testnet does"
    )
    assert list(other_account(exchange, "testnet", has_account=True)) == []
