"""Settings of the exchange: the market and the account, or their simulation."""

from decimal import Decimal
from typing import Annotated

from domain.market.funding import FundingRule
from domain.market.instruments import HOUR_MS
from domain.rules import FillRules
from infra.settings import fields
from infra.settings.sections.values import Count, Flag, Secret, Section

_ONE_BPS = Decimal("0.0001")
_HOST = r"[A-Za-z0-9.-]{1,200}(:[0-9]{1,5})?"
_HERE = r"(127\.0\.0\.1|localhost)(:[0-9]{1,5})?"
_LOOPBACK = r"(127\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}|localhost|\[::1\]):[0-9]{1,5}"
_StreamUrl = Annotated[
    str,
    fields.text(
        f"wss://{_HOST}/[a-z0-9/]{{1,60}}|ws://{_HERE}/[a-z0-9/]{{1,60}}",
        "wss://HOST/PATH, ws://127.0.0.1:PORT/PATH, or null",
    ),
]


class ExchangeSettings(Section):
    """Which account is traded, and at which addresses."""

    api_key: Secret | None
    api_secret: Secret | None
    keystore: Annotated[str, fields.text(r"/[^\0]+", "/FOLDER of `bin/keys`, or null")] | None
    testnet: Flag | None
    demo: Flag | None
    rest_url: (
        Annotated[
            str,
            fields.text(
                f"https://{_HOST}|http://{_HERE}", "https://HOST, http://127.0.0.1:PORT, or null"
            ),
        ]
        | None
    )
    public_stream_url: _StreamUrl | None
    private_stream_url: _StreamUrl | None
    least_tls: Annotated[str, fields.one_of(("1.2", "1.3"))]
    clock_speed: Annotated[Decimal, fields.number("times real time", "1", "1000")]


class FeedSettings(Section):
    """How market data is read."""

    max_connections: Count


class SimulationSettings(Section):
    """The simulated exchange of the default run."""

    address: (
        Annotated[
            str, fields.text(_LOOPBACK, "127.0.0.1:PORT, localhost:PORT, [::1]:PORT, or null")
        ]
        | None
    )
    speed: Annotated[Decimal, fields.number("times real time", "1", "1000")]
    seed: Annotated[int, fields.whole("seed", 0, 1_000_000_000)]


class ReplaySettings(Section):
    """What a simulated fill costs."""

    initial_balance: Annotated[Decimal, fields.number("USDT", "1", "1000000000000")]
    slippage_bps: Annotated[Decimal, fields.basis_points("0.01", "1000")]
    taker_fee_rate: Annotated[Decimal, fields.fraction("0", "0.01")]
    funding_rate: Annotated[Decimal, fields.fraction("-0.05", "0.05")]
    funding_interval_hours: Annotated[int, fields.whole("hours", 1, 24)]
    stop_gap_fraction: Annotated[Decimal, fields.fraction("0", "1")]
    max_workers: Annotated[int, fields.whole("processes", 1, 1024)] | None

    def rules(self) -> FillRules:
        """Return the costs charged by the matching engine."""
        return FillRules(
            initial_balance=self.initial_balance,
            slippage_fraction=self.slippage_bps * _ONE_BPS,
            taker_fee_rate=self.taker_fee_rate,
            funding=FundingRule(
                rate=self.funding_rate, interval_ms=self.funding_interval_hours * HOUR_MS
            ),
            stop_gap_fraction=self.stop_gap_fraction,
        )
