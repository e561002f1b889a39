"""What Prometheus is shown, and that the table, the alerts and the dashboard speak of just that."""

import json
import re
from collections.abc import Iterator
from dataclasses import replace
from itertools import product
from pathlib import Path
from typing import Any

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from domain.trading.decisions import DenialReason
from domain.trading.orders import Purpose
from infra.operator.health.metrics import MetricsPage
from infra.store.books import Books
from infra.venues.bybit.http.meter import RequestMeter, Result
from infra.venues.bybit.limits import Kind
from tests.operator.health.made import ASSET, figures
from tests.operator.health.tools import DEPLOY, judged, tool

ROW = re.compile(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*?) *\| (.*) \|$", re.MULTILINE)
METRIC = re.compile(r"\b(?:trading|process)_\w+")
COUNTERS = (
    "trading_trades_total",
    "trading_orders_total",
    "trading_refusals_total",
    "trading_rest_requests_total",
)
HISTOGRAM_PARTS = ("_bucket", "_sum", "_count")


def page() -> str:
    return MetricsPage(figures).text().decode()


def shown(text: str) -> dict[str, tuple[str, str, str]]:
    """Return type, labels and words of each metric."""
    found = {}
    for family in text_string_to_metric_families(text):
        name = f"{family.name}_total" if family.type == "counter" else family.name
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        found[name] = (family.type, ", ".join(sorted(labels)), family.documentation)
    return found


def samples(text: str) -> dict[tuple[str, ...], float]:
    """Return every sample by its name and label values."""
    return {
        (sample.name, *sample.labels.values()): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_the_pnl_of_all_is_the_sum_of_the_assets() -> None:
    found = samples(page())
    pnl = {key[1]: v for key, v in found.items() if key[0] == "trading_performance_pnl_usdt"}

    assert (pnl["all"], pnl["BTC"]) == (100, 100)


def documented() -> dict[str, tuple[str, str, str]]:
    table = (DEPLOY.parent / "docs" / "metrics.md").read_text(encoding="utf-8")
    return {name: (kind, labels, words) for name, kind, labels, words in ROW.findall(table)}


def test_the_table_is_what_is_shown() -> None:
    assert documented() == shown(page())


def test_promtool_finds_the_page_right() -> None:
    said = judged(tool("promtool", "prometheus"), "check", "metrics", stdin=page().encode())

    assert said == ""


@pytest.mark.parametrize(
    ("sample", "value"),
    [
        (("trading_info", "live"), 1),
        (("trading_ready",), 1),
        (("trading_machine_cpu_ratio",), 0.25),
        (("trading_disk_free_bytes",), 60),
        (("trading_mailbox_messages", "asset/BTC"), 3),
        (("trading_actor_restarts_total", "asset/BTC"), 2),
        (("trading_feed_last_data_timestamp_seconds", "BTC"), 1_744_802_700.0),
        (("trading_last_candle_timestamp_seconds", "BTC"), 1_744_802_700.25),
        (("trading_stream_connects_total", "public stream 1"), 2),
        (("trading_refused_total", "execution", "account"), 2),
        (("trading_refused_total", "not JSON", "public stream 1"), 1),
        (("trading_rest_requests_total", "entry", "silent"), 1),
        (("trading_rest_request_duration_seconds_bucket", "0.05"), 2),
        (("trading_rest_request_duration_seconds_bucket", "+Inf"), 3),
        (("trading_rest_request_duration_seconds_sum",), 0.45),
        (("trading_clock_offset_seconds",), 0.012),
        (("trading_equity_usdt",), 10_100),
        (("trading_daily_loss_ratio",), -0.01),
        (("trading_realized_pnl_usdt",), -12.5),
        (("trading_unrealized_pnl_usdt",), 100),
        (("trading_position_notional_usdt", "BTC"), -7900),
        (("trading_positions_without_stop",), 0),
        (("trading_unknown_orders",), 1),
        (("trading_trades_total", "BTC", "lost"), 2),
        (("trading_orders_total", "BTC", "entry"), 3),
        (("trading_refusals_total", "exposure"), 4),
    ],
)
def test_each_figure_is_shown_in_its_base_unit(sample: tuple[str, ...], value: float) -> None:
    assert samples(page())[sample] == pytest.approx(value)


def test_every_counter_of_the_business_is_there_before_it_counts() -> None:
    fresh = figures(
        assets=[ASSET, replace(ASSET, asset="ETH")],
        books=Books(),
        requests=RequestMeter(lambda: 0.0).stats(),
    )

    seen = samples(MetricsPage(lambda: fresh).text().decode())

    labels = {name: {key[1:] for key in seen if key[0] == name} for name in COUNTERS}
    assets = ("BTC", "ETH")
    assert labels["trading_trades_total"] == set(product(assets, ("won", "lost")))
    assert labels["trading_orders_total"] == set(product(assets, Purpose))
    assert labels["trading_refusals_total"] == {(r.lower(),) for r in DenialReason}
    assert labels["trading_rest_requests_total"] == {
        (kind.lower(), result) for kind, result in product(Kind, Result)
    }
    assert {seen[key] for key in seen if key[0] in COUNTERS} == {0}


def test_a_position_without_a_stop_is_counted() -> None:
    unprotected = figures(assets=[replace(ASSET, is_unprotected=True), replace(ASSET, asset="ETH")])

    assert (
        samples(MetricsPage(lambda: unprotected).text().decode())[
            ("trading_positions_without_stop",)
        ]
        == 1
    )


def test_what_is_not_known_is_not_shown() -> None:
    unknown = figures(
        portfolio=None,
        clock_offset_s=None,
        assets=[replace(ASSET, feed_age_s=None, candle_age_s=None, is_unprotected=None)],
    )

    names = {name for name, *_ in samples(MetricsPage(lambda: unknown).text().decode())}

    assert (
        names
        & {
            "trading_equity_usdt",
            "trading_clock_offset_seconds",
            "trading_feed_last_data_timestamp_seconds",
            "trading_last_candle_timestamp_seconds",
            "trading_positions_without_stop",
        }
        == set()
    )
    assert "trading_unknown_orders" in names


def test_before_the_first_look_the_process_alone_is_shown() -> None:
    names = shown(MetricsPage(lambda: None).text().decode())

    assert names
    assert all(name.startswith("process_") for name in names)


def metrics_in(expr: str) -> set[str]:
    """Return the metrics that an expression is about."""
    found = set()
    for name in METRIC.findall(expr):
        base = next((name.removesuffix(p) for p in HISTOGRAM_PARTS if name.endswith(p)), name)
        found.add(name if name in documented() else base)
    return found


def rules() -> list[dict[str, Any]]:
    text = (DEPLOY / "prometheus" / "alerts.yml").read_text(encoding="utf-8")
    return [rule for group in yaml.safe_load(text)["groups"] for rule in group["rules"]]


@pytest.mark.parametrize("rule", rules(), ids=lambda rule: rule["alert"])
def test_every_alert_is_about_a_metric_and_says_what_to_do(rule: dict[str, Any]) -> None:
    assert metrics_in(rule["expr"]) <= set(documented())
    assert metrics_in(rule["expr"]) or "up{" in rule["expr"]
    assert rule["labels"]["severity"] in {"critical", "warning"}
    assert {"summary", "action"} == set(rule["annotations"])


def test_promtool_finds_configuration_and_alerts_right() -> None:
    promtool, folder = tool("promtool", "prometheus"), DEPLOY / "prometheus"

    judged(promtool, "check", "config", folder / "prometheus.yml")
    judged(promtool, "check", "rules", folder / "alerts.yml")
    said = judged(promtool, "test", "rules", folder / "alerts_test.yml")

    assert "SUCCESS" in said


def expressions(panels: list[dict[str, Any]]) -> Iterator[tuple[str, str]]:
    for panel in panels:
        yield from expressions(panel.get("panels", []))
        for target in panel.get("targets", []):
            yield panel["title"], target["expr"]


DASHBOARD = json.loads((DEPLOY / "grafana" / "short-trading.json").read_text(encoding="utf-8"))
SHOWN = list(expressions(DASHBOARD["panels"]))


@pytest.mark.parametrize(("title", "expr"), SHOWN)
def test_every_panel_is_about_a_metric(title: str, expr: str) -> None:
    assert metrics_in(expr), title
    assert metrics_in(expr) <= set(documented())


def test_promtool_can_read_every_panel(tmp_path: Path) -> None:
    found = [{"record": f"panel:{place}", "expr": expr} for place, (_, expr) in enumerate(SHOWN)]
    file = tmp_path / "panels.yml"
    file.write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": found}]}))

    said = judged(tool("promtool", "prometheus"), "check", "rules", file)

    assert f"{len(SHOWN)} rules found" in said


def test_the_dashboard_has_no_panel_twice_and_none_above_another() -> None:
    panels = DASHBOARD["panels"]
    places = [
        (x, y)
        for panel in panels
        for x in range(panel["gridPos"]["x"], panel["gridPos"]["x"] + panel["gridPos"]["w"])
        for y in range(panel["gridPos"]["y"], panel["gridPos"]["y"] + panel["gridPos"]["h"])
    ]

    assert len({panel["id"] for panel in panels}) == len(panels) > 20
    assert len(set(places)) == len(places)
    assert all(x < 24 for x, _ in places)
