"""The lines of a log file are what their documented schema says, so that shippers can read them."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml
from jsonschema import Draft202012Validator, ValidationError
from loguru import logger

from infra.process.logs import start_logging

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "docs" / "log-line.schema.json").read_text(encoding="utf-8"))
VALIDATOR = Draft202012Validator(SCHEMA)


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Path]:
    file = tmp_path / "logs" / "sim.jsonl"
    start_logging(
        file=file,
        level="TRACE",
        rotation="00:00",
        retention_days=1,
        screen=lambda _line: None,
        screen_level="CRITICAL",
        context=lambda: ("asset/BTC", 7),
    )
    yield file
    logger.remove()


def test_each_kind_of_line_is_as_documented(lines: Path) -> None:
    for level in SCHEMA["properties"]["level"]["enum"]:
        logger.log(level, "one\nline {}", "\x1b[31m")
    logger.bind(kind="entry").info("a notice")
    try:
        _ = 1 / 0
    except ZeroDivisionError:
        logger.exception("it failed")

    found = [json.loads(line) for line in lines.read_text(encoding="utf-8").splitlines()]
    assert len(found) == 9
    for line in found:
        VALIDATOR.validate(line)
        assert line["message"].isprintable()
    assert {"actor", "asset", "trace_id", "kind", "exception"} <= set().union(*found)


@pytest.mark.parametrize("change", [{"time": "12:00"}, {"level": "LOUD"}, {"message": None}])
def test_the_schema_refuses_what_no_shipper_could_read(change: dict[str, object]) -> None:
    line = {"time": "2026-11-29T12:00:00.123+00:00", "level": "INFO", "message": "well"}
    VALIDATOR.validate(line)

    with pytest.raises(ValidationError):
        VALIDATOR.validate(line | change)


def test_the_shipper_reads_fields_that_every_line_has() -> None:
    text = (ROOT / "deploy" / "container" / "vector.yml").read_text(encoding="utf-8")
    settings = yaml.safe_load(text)

    labels = settings["sinks"]["loki"]["labels"].values()
    used = {label.strip("{} ") for label in labels if "{{" in label}
    assert used | {"time"} <= set(SCHEMA["required"])
    assert "parse_timestamp!(.time," in settings["transforms"]["parsed"]["source"]
    for sink in settings["sinks"].values():
        assert set(sink["inputs"]) <= settings["transforms"].keys()
    for transform in settings["transforms"].values():
        assert set(transform["inputs"]) <= settings["sources"].keys()
