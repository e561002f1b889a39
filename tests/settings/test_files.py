"""Files and environment variables override the shipped settings; an unreadable one is one error."""

from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain.errors import ConfigError
from infra.settings import Settings, default_dotenv, load_settings


def load(file: Path | None, *, dotenv: Path | None = None, **environ: str) -> Settings:
    return load_settings(file, environ=environ, dotenv=dotenv)


def error_of(file: Path | None, *, dotenv: Path | None = None, **environ: str) -> str:
    """Return the only error line, without the folder of the test's own files."""
    with pytest.raises(ConfigError) as caught:
        load(file, dotenv=dotenv, **environ)
    heading, line = str(caught.value).splitlines()
    assert heading == "1 error in the settings:"
    folder = (file or dotenv or Path("none/none")).parent
    return line.replace(f"{folder}/", "")


def test_file_holds_only_what_differs_from_the_shipped_settings(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("risk:\n  stop_loss_pct: 0.02\ninstruments:\n  SOLUSDT: {tick_size: '0.001'}")
    shipped = load(None)

    settings = load(file)

    assert settings.risk == shipped.risk.model_copy(update={"stop_loss_pct": Decimal("0.02")})
    assert settings.strategy == shipped.strategy
    assert settings.instruments["SOLUSDT"].tick_size == Decimal("0.001")
    assert settings.instruments["SOLUSDT"].qty_step == Decimal("0.1")
    assert list(settings.instruments) == ["BTCUSDT", "ETHUSDT", "SOLUSDT"]


def test_list_in_a_file_replaces_the_shipped_list(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("strategy: {entry_crosses: [SHORT_BELOW_LONG]}")

    assert load(file).strategy.entry_crosses == ("SHORT_BELOW_LONG",)


UNREADABLE = [
    (b"", "my.yaml:1: the file is empty; allowed: sections of settings"),
    (b"# nothing yet\n", "my.yaml:1: the file is empty; allowed: sections of settings"),
    (b"null\n", "my.yaml:1: the file is empty; allowed: sections of settings"),
    (b"\n- risk\n", "my.yaml:2: found a list at the top; allowed: sections of settings"),
    (b"risk", "my.yaml:1: found a single value at the top; allowed: sections of settings"),
    (b"risk:\n  stop_loss_pct: [0.1\n", "my.yaml:3: not valid YAML: expected ',' or ']'"),
    (b"risk:\n\tstop_loss_pct: 1", "my.yaml:2: not valid YAML: found character '\\t'"),
    (b"risk: {}\n---\nrisk: {}", "my.yaml:2: not valid YAML: but found another document"),
    (
        b"risk:\n  stop_loss_pct: 0.1\n  stop_loss_pct: 0.2",
        "my.yaml:3: risk.stop_loss_pct: found a second time; the first is in line 2",
    ),
    (b"risk: {}\nrisk: {}", "my.yaml:2: risk: found a second time; the first is in line 1"),
    ("risk: {}".encode("utf-16"), "my.yaml:1: found UTF-16 text; allowed: UTF-8 text"),
    (b"risk: {}\n# \xe4", "my.yaml:2: found bytes that are not UTF-8 text; allowed: UTF-8 text"),
    (b"risk:\n  \x00", "my.yaml:2: found the character 0x0; allowed: printable text"),
    (b"risk: &r [*r]", "my.yaml:1: risk[0]: found an alias (*name); allowed: the value itself"),
    (b"risk: !x 1", "my.yaml:1: risk: found a YAML tag (!name); allowed: the value itself"),
    (b"risk:\n  [a]: 1", "my.yaml:2: risk: found a list as a key; allowed: a word"),
    (b'risk: "\\ud800"', "my.yaml:1: risk: found half a character (a surrogate); allowed: whole"),
    (b'risk: "\\UFFFFFFFF"', "my.yaml: not valid YAML: "),
    (b"risk: " + b"[" * 50 + b"]" * 50, "my.yaml:1: risk: is nested too deeply"),
    (b"risk: " + b"[" * 9000, "my.yaml: not valid YAML: RecursionError in PyYAML"),
]


@pytest.mark.parametrize(("data", "error"), UNREADABLE)
def test_file_that_holds_no_settings_is_one_error_with_its_line(
    tmp_path: Path, data: bytes, error: str
) -> None:
    file = tmp_path / "my.yaml"
    file.write_bytes(data)

    assert error_of(file).startswith(error)


def test_missing_file_and_folder_are_one_error_with_the_reason(tmp_path: Path) -> None:
    assert error_of(tmp_path / "no.yaml") == "no.yaml: cannot be read: No such file or directory"
    assert (
        error_of(tmp_path)
        == f"{tmp_path.name}: cannot be read: found a folder, expected a regular file"
    )


def test_file_with_a_byte_order_mark_and_windows_lines_is_read(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_bytes(b"\xef\xbb\xbfrisk:\r\n  stop_loss_pct: 0.02\r\n")

    assert load(file).risk.stop_loss_pct == Decimal("0.02")


@given(data=st.binary() | st.text("{}[]:,-&*!|>'\"#%? \n\tar0.").map(str.encode))
def test_any_bytes_are_always_read_or_refused_with_a_config_error(
    tmp_path_factory: pytest.TempPathFactory, data: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "bytes.yaml"
    file.write_bytes(data)

    try:
        load(file)
    except ConfigError as error:
        assert str(file) in str(error)  # noqa: PT017 (most bytes are refused, some are settings)


def test_variables_override_the_file(tmp_path: Path) -> None:
    file = tmp_path / "my.yaml"
    file.write_text("risk: {stop_loss_pct: 0.03}\nlogging: {level: ERROR}")

    settings = load(
        file,
        BYBIT_API_KEY="key",
        BYBIT_API_SECRET="hidden",
        BYBIT_TESTNET="false",
        BYBIT_DEMO="1",
        ASSET_ALLOCATION_PCT="0.05",
        LEVERAGE_PER_ASSET="5",
        STOP_LOSS_PCT="0.02",
        TAKE_PROFIT_PCT="0.08",
        MAX_DAILY_LOSS_PCT="0.04",
        MAX_PORTFOLIO_DRAWDOWN_PCT="0.25",
        MAX_PORTFOLIO_EXPOSURE="1.5",
        TELEGRAM_BOT_TOKEN="1:a",
        TELEGRAM_CHANNEL_ID="-100123",
        TELEGRAM_ADMIN_CHAT_ID="77",
        LOG_LEVEL="warning",
    )

    assert settings.exchange.api_key.get_secret_value() == "key"
    assert settings.exchange.api_secret.get_secret_value() == "hidden"
    assert (settings.exchange.testnet, settings.exchange.demo) == (False, True)
    assert {asset.allocation_pct for asset in settings.portfolio.assets} == {Decimal("0.05")}
    assert {asset.leverage for asset in settings.portfolio.assets} == {Decimal(5)}
    assert settings.risk.stop_loss_pct == Decimal("0.02")
    assert settings.risk.take_profit_pct == Decimal("0.08")
    assert settings.risk.max_daily_loss_pct == Decimal("0.04")
    assert settings.risk.max_portfolio_drawdown_pct == Decimal("0.25")
    assert settings.portfolio.max_total_exposure_pct == Decimal("1.5")
    assert settings.notifications.telegram_bot_token.get_secret_value() == "1:a"
    assert settings.notifications.telegram_channel_id == "-100123"
    assert settings.notifications.telegram_admin_chat_id == "77"
    assert settings.logging.level == "WARNING"


def test_debug_mode_logs_debug_whatever_the_level_says() -> None:
    assert load(None, DEBUG_MODE="true", LOG_LEVEL="ERROR").logging.level == "DEBUG"
    assert load(None, DEBUG_MODE="false", LOG_LEVEL="ERROR").logging.level == "ERROR"


def test_empty_variable_leaves_the_setting_as_it_is(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("STOP_LOSS_PCT=0.02\nTAKE_PROFIT_PCT=\n")

    settings = load(None, dotenv=dotenv, STOP_LOSS_PCT="", LEVERAGE_PER_ASSET=" ")

    assert settings.risk.stop_loss_pct == Decimal("0.02")
    assert settings.risk.take_profit_pct == Decimal("0.06")
    assert settings.portfolio.assets[0].leverage == Decimal(10)


WRONG_VARIABLES = [
    ("LEVERAGE_PER_ASSET", "0.1", "portfolio.assets[*].leverage: found 0.1; allowed: a leverage"),
    ("ASSET_ALLOCATION_PCT", "7", "portfolio.assets[*].allocation_pct: found 7; allowed: a fract"),
    ("STOP_LOSS_PCT", "1.5", "risk.stop_loss_pct: found 1.5; allowed: a fraction"),
    ("MAX_PORTFOLIO_EXPOSURE", "210", "portfolio.max_total_exposure_pct: found 210; allowed: a m"),
    ("BYBIT_TESTNET", "maybe", "exchange.testnet: found maybe; allowed: true or false"),
    ("LOG_LEVEL", "loud", "logging.level: found loud; allowed: one of TRACE, DEBUG"),
    ("DEBUG_MODE", "maybe", "found maybe; allowed: true or false"),
    ("DEBUG_MODE", "\udcff", "found '\\udcff'; allowed: true or false"),
]


@pytest.mark.parametrize(("name", "text", "error"), WRONG_VARIABLES)
def test_wrong_variable_is_named_instead_of_file_and_line(name: str, text: str, error: str) -> None:
    assert error_of(None, **{name: text}).startswith(f"environment variable {name}: {error}")


@pytest.mark.parametrize("name", ["STOP_LOSS_PCT", "LEVERAGE_PER_ASSET"])
def test_wrong_variable_in_a_dotenv_file_is_named_with_its_line(tmp_path: Path, name: str) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"# mine\n\nOTHER=1\n\nexport {name}=-1  # why\n")

    assert error_of(None, dotenv=dotenv).startswith(f".env:5, environment variable {name}: ")


def test_contradiction_that_a_variable_causes_names_the_variable() -> None:
    with pytest.raises(ConfigError) as caught:
        load(None, LEVERAGE_PER_ASSET="60")

    assert "portfolio.assets[*].leverage = 60 (environment variable LEVERAGE_PER_ASSET)" in str(
        caught.value
    )


def test_process_environment_wins_over_the_dotenv_file(tmp_path: Path) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text("STOP_LOSS_PCT='0.02'\nTAKE_PROFIT_PCT=\"0.07\"\n")

    settings = load(None, dotenv=dotenv, STOP_LOSS_PCT="0.01")

    assert settings.risk.stop_loss_pct == Decimal("0.01")
    assert settings.risk.take_profit_pct == Decimal("0.07")


@pytest.mark.parametrize("line", ["k3y-alone", "two words=1", 'NAME="open'])
def test_dotenv_line_that_is_no_assignment_is_named_and_not_shown(
    tmp_path: Path, line: str
) -> None:
    dotenv = tmp_path / ".env"
    dotenv.write_text(f"LOG_LEVEL=INFO\n\n{line}\n")

    error = error_of(None, dotenv=dotenv)

    assert error == ".env:3: found a line that is not NAME=value; allowed: NAME=value, # comment"


def test_missing_dotenv_file_is_an_error(tmp_path: Path) -> None:
    assert "No such file" in error_of(None, dotenv=tmp_path / ".env")


def test_unreadable_files_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="2 errors") as caught:
        load(tmp_path / "no.yaml", dotenv=tmp_path / "no.env")

    assert "no.yaml: cannot be read" in str(caught.value)
    assert "no.env: cannot be read" in str(caught.value)


def test_dotenv_of_the_current_directory_is_found_before_that_of_the_project(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    of_project = Path(__file__).parents[2] / ".env"

    assert default_dotenv() == (of_project if of_project.is_file() else None)
    (tmp_path / ".env").touch()
    assert default_dotenv() == tmp_path / ".env"


SECRETS = {
    "BYBIT_API_KEY": "k3y",
    "BYBIT_API_SECRET": "s3cret",
    "TELEGRAM_BOT_TOKEN": "12:t0k",
    "DISCORD_URL": "discord://1/t0k",
    "HEARTBEAT_URL": "https://beat/t0k",
}


def test_secrets_are_not_shown_by_settings() -> None:
    settings = load(None, **SECRETS, TELEGRAM_ADMIN_CHAT_ID="77")

    shown = f"{settings!r} {settings} {settings.exchange} {settings.model_dump_json()}"

    assert settings.exchange.api_key.get_secret_value() == "k3y"
    assert not [secret for secret in SECRETS.values() if secret in shown]


SPILLS = [
    "exchange: {api_secret: s3cret with spaces}",
    "exchange: {api_secret: [s3cret]}",
    "exchange: {api_secrt: s3cret}",
    "exchange: {api_secret: *s3cret}",
    "exchange: {api_secret: !s3cret!x y}",
    "exchange: {api_secret: &s3cret}}",
    "exchange: {api_secret: %s3cret}",
    "notifications: {telegram_channel_id: 12:s3cret}",
    "notifications: {telegram_admin_chat_id: s3cret}",
    "risk: {stop_loss_pct: 7}\nexchange: {api_secret: s3cret}",
]


@pytest.mark.parametrize("text", SPILLS)
def test_secrets_are_not_shown_by_errors_nor_by_what_led_to_them(tmp_path: Path, text: str) -> None:
    file = tmp_path / "my.yaml"
    file.write_text(text)

    with pytest.raises(ConfigError) as caught:
        load(file)

    assert "s3cret" not in str(caught.value)
    assert caught.value.__context__ is None
