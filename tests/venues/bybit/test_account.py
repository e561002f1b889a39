"""The account made ready: set, read back, refused where it differs."""

from decimal import Decimal

import pytest

from domain.errors import ConfigError, UnavailableError
from domain.market.instruments import Instrument
from domain.rules import AssetRules, EntryTerms, StopPolicy
from domain.strategies.base import StrategySpec
from infra.venues.bybit.account import prepare_account
from infra.venues.bybit.shapes.account import MarginMode
from tests.venues.bybit.rest_server import Fault, client_of, running_server
from tests.venues.bybit.test_rest_orders import position

KEY_INFO = {
    "readOnly": 0,
    "permissions": {"ContractTrade": ["Order", "Position"], "Wallet": ["AccountTransfer"]},
    "ips": ["18.181.170.164"],
    "deadlineDay": 80,
}
LISTING = {
    "symbol": "BTCUSDT",
    "status": "Trading",
    "priceFilter": {"tickSize": "0.10"},
    "lotSizeFilter": {
        "qtyStep": "0.001",
        "minOrderQty": "0.001",
        "minNotionalValue": "5",
        "maxMktOrderQty": "500",
    },
    "leverageFilter": {"maxLeverage": "100.00"},
}
FLAT = {"size": "0", "side": "", "stopLoss": "", "takeProfit": ""}
LEVERAGE, ONE_WAY = "/v5/position/set-leverage", "/v5/position/switch-mode"
MARGIN = "/v5/account/set-margin-mode"
SETTERS = (LEVERAGE, ONE_WAY, MARGIN)
BTC = AssetRules(
    asset="BTC",
    allocation_fraction=Decimal("0.07"),
    leverage=Decimal(10),
    instrument=Instrument(
        symbol="BTCUSDT",
        qty_step=Decimal("0.001"),
        min_order_qty=Decimal("0.001"),
        tick_size=Decimal("0.1"),
        min_notional=Decimal(5),
        max_market_order_qty=Decimal(500),
    ),
    terms=EntryTerms(
        strategy=StrategySpec(name="ema_cross_short", parameters={}),
        stops=StopPolicy(
            stop_loss_fraction=Decimal("0.015"),
            take_profit_fraction=None,
            trail_fraction=None,
            min_ratchet_fraction=Decimal("0.01"),
            max_hold_ms=None,
        ),
    ),
)


class Account:
    """The settings that the venue keeps; a setter that is stuck answers and does nothing."""

    def __init__(self, venue):
        self.venue = venue
        self.key = dict(KEY_INFO)
        self.listing = dict(LISTING)
        self.mode, self.status = "ISOLATED_MARGIN", 6
        self.leverage, self.idx, self.row = "10", 0, FLAT
        self.stuck = False
        venue.results |= {
            "/v5/user/query-api": lambda _: self.key,
            "/v5/market/instruments-info": lambda _: {"list": [self.listing]},
            "/v5/account/info": lambda _: {
                "marginMode": self.mode,
                "unifiedMarginStatus": self.status,
            },
            "/v5/account/fee-rate": lambda _: {
                "list": [{"symbol": "BTCUSDT", "takerFeeRate": "0.00055", "makerFeeRate": "0"}]
            },
            "/v5/position/list": self.positions,
            LEVERAGE: lambda query: self.change("leverage", query["buyLeverage"]),
            ONE_WAY: lambda _: self.change("idx", 0),
            MARGIN: lambda query: self.change("mode", query["setMarginMode"]),
        }

    def change(self, name, value):
        if not self.stuck:
            setattr(self, name, value)
        return {}

    def positions(self, query):
        if "cursor" in query:
            return {"list": []}
        rows = position(**self.row, positionIdx=self.idx, leverage=self.leverage)["list"]
        return {"list": rows if self.idx == 0 else [rows[0], rows[0] | {"positionIdx": 2}]}

    def sent(self):
        return [path for path in SETTERS if self.venue.count(path)]


@pytest.fixture
def venue():
    with running_server() as server:
        yield server


@pytest.fixture
def account(venue):
    return Account(venue)


@pytest.fixture
def prepare(venue):
    with client_of(venue) as rest:
        yield lambda: prepare_account(rest, [BTC], MarginMode.ISOLATED, sleep=venue.time.sleep)


def test_an_account_that_is_as_wanted_is_not_touched(account, prepare):
    report = prepare()

    assert account.sent() == []
    assert (report.changes, report.warnings) == ((), ())
    assert report.margin_mode is MarginMode.ISOLATED
    assert report.assets[0].listing.instrument.tick_size == Decimal("0.10")
    assert report.assets[0].fees.taker == Decimal("0.00055")
    assert report.assets[0].position.leverage == 10


def test_all_settings_are_changed_and_read_back(account, prepare):
    account.mode, account.idx, account.leverage = "REGULAR_MARGIN", 1, "5"

    report = prepare()

    assert account.sent() == list(SETTERS)
    assert (account.mode, account.idx, account.leverage) == ("ISOLATED_MARGIN", 0, "10")
    assert len(report.changes) == 3


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("mode", "REGULAR_MARGIN", "margin mode is REGULAR_MARGIN, expected ISOLATED_MARGIN"),
        ("idx", 1, "position mode is hedge, expected one-way"),
        ("leverage", "5", "leverage is 5, expected 10"),
    ],
)
def test_a_setting_that_does_not_stand_stops_the_start(account, prepare, name, value, words):
    setattr(account, name, value)
    account.stuck = True

    with pytest.raises(UnavailableError, match=words):
        prepare()


@pytest.mark.parametrize(
    ("name", "value"), [("mode", "REGULAR_MARGIN"), ("idx", 1), ("leverage", "5")]
)
def test_nothing_is_changed_while_a_position_is_open(account, prepare, name, value):
    setattr(account, name, value)
    account.row = {}

    with pytest.raises(ConfigError, match=r"position is open \(0\.010 BTCUSDT"):
        prepare()

    assert account.sent() == []


def test_an_open_position_is_no_trouble_where_nothing_differs(account, prepare):
    account.row = {}

    assert not prepare().assets[0].position.is_flat


@pytest.mark.parametrize(("stop", "words"), [("0", "which has no stop"), ("190.5", "stop 190.5")])
def test_an_open_position_of_no_asset_is_warned_about(venue, account, prepare, stop, words):
    other = {"symbol": "SOLUSDT", "side": "Sell", "size": "7.5", "stopLoss": stop}
    venue.results["/v5/position/list"] = lambda query: (
        {"list": []}
        if "cursor" in query
        else position(**other)
        if "settleCoin" in query
        else account.positions(query)
    )

    (warning,) = prepare().warnings

    assert f"SELL 7.5 SOLUSDT, {words}: the settings do not have it" in warning


@pytest.mark.parametrize("fault", [Fault(cuts=True), Fault(code=110043)], ids=repr)
def test_a_lost_or_unmodified_answer_counts_as_what_is_read_back(venue, account, prepare, fault):
    account.leverage = "5"
    reads = iter(["5", "5", "10", "10", "10", "10"])
    plain = account.positions

    def positions(query):
        account.leverage = next(reads)
        return plain(query)

    venue.results["/v5/position/list"] = positions
    venue.fail(LEVERAGE, fault)

    assert len(prepare().changes) == 1
    assert venue.count(LEVERAGE) == 1


def test_the_venue_s_reason_for_a_refusal_is_told(venue, account, prepare):
    account.leverage = "5"
    venue.fail(LEVERAGE, Fault(code=110013, text="Cannot set leverage due to risk limit level"))

    with pytest.raises(
        UnavailableError, match="110013: Cannot set leverage due to risk limit level"
    ):
        prepare()


def test_a_key_that_may_withdraw_is_refused_before_anything_is_changed(account, prepare):
    account.key["permissions"] = KEY_INFO["permissions"] | {"Wallet": ["Withdraw"]}
    account.leverage = "5"

    with pytest.raises(ConfigError, match="may withdraw"):
        prepare()

    assert account.sent() == []


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"readOnly": 1}, "may only read"), ({"permissions": {"Wallet": []}}, "lacks the permission")],
)
def test_a_key_that_may_not_trade_is_refused(account, prepare, changed, words):
    account.key |= changed

    with pytest.raises(ConfigError, match=words):
        prepare()


@pytest.mark.parametrize(
    ("changed", "words"),
    [({"ips": ["*"]}, "not bound to an IP address"), ({"deadlineDay": 3}, "expires in 3 days")],
)
def test_a_key_that_is_not_safe_is_warned_about(account, prepare, changed, words):
    account.key |= changed

    assert [words in warning for warning in prepare().warnings] == [True]


def test_demo_trading_without_key_info_is_a_warning(venue, account):
    venue.fail("/v5/user/query-api", Fault(code=10001))

    with client_of(venue, is_demo=True) as rest:
        report = prepare_account(rest, [BTC], MarginMode.ISOLATED, sleep=venue.time.sleep)

    assert len(report.warnings) == 1
    assert report.assets[0].fees is None
    assert account.sent() == []


def test_all_that_is_wrong_is_said_at_once(account, prepare):
    account.status = 1
    account.listing |= {"leverageFilter": {"maxLeverage": "5"}}

    with pytest.raises(ConfigError, match=r"(?s)classic.*leverage of 10 is above the venue's 5"):
        prepare()


def test_a_contract_that_is_not_trading_is_refused(account, prepare):
    account.listing["status"] = "Closed"

    with pytest.raises(UnavailableError, match="status is Closed"):
        prepare()
