"""The books and limits of a portfolio, for a script: the domain's own, in percent."""

from dataclasses import dataclass
from decimal import Decimal
from functools import cached_property

from actors.multi_pair.config import PairConfig, PortfolioConfig
from domain.errors import ConfigError
from domain.market.instruments import Side
from domain.portfolio.metrics import PortfolioMetrics, metrics
from domain.portfolio.protection import initial_state
from domain.portfolio.rebalancing import Advice, Rebalance, advise
from domain.portfolio.state import PortfolioState
from domain.portfolio.violations import Violation, violations
from domain.rules import AssetRules, TradingRules
from domain.trading.positions import Execution, ExecutionKind, Position, Trade


@dataclass(frozen=True, slots=True, kw_only=True)
class RebalanceAction:
    """What to do about a position whose share has drifted. Percent of the equity."""

    symbol: str
    action: Rebalance
    quantity: Decimal
    """Base units."""
    current_pct: Decimal
    target_pct: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PortfolioFigures:
    """All pairs together: quote, and percent; None if not known yet."""

    equity: Decimal
    total_capital: Decimal
    available_capital: Decimal
    deployed_capital: Decimal
    active_positions: int
    closed_positions: int
    total_pnl: Decimal
    unrealized_pnl: Decimal
    realized_pnl: Decimal
    total_return_pct: Decimal | None
    concentration_pct: Decimal | None
    win_rate_pct: Decimal | None


class PortfolioManager:
    """Positions, capital and limits of all registered pairs."""

    def __init__(self, config: PortfolioConfig, base: TradingRules, *, now_ms: int) -> None:
        """Start flat, with the whole capital.

        Args:
            config: the limits.
            base: all other rules, as returned by `Settings.trading_rules`.
            now_ms: returns the present.
        """
        self._config, self._base, self._start_ms = config, base, now_ms
        self._pairs: dict[str, AssetRules] = {}
        self._executions = 0

    def register_pair(self, pair: PairConfig) -> None:
        """Add a pair; all of them before the first position.

        Raises:
            ConfigError: it is registered, its settings are wrong, or positions exist already.
        """
        if pair.symbol in self._pairs or "state" in vars(self):
            raise ConfigError(
                f"{pair.symbol}: expected a new pair before the first use of the portfolio"
            )
        self._pairs[pair.symbol] = pair.rules()

    @cached_property
    def rules(self) -> TradingRules:
        """All rules, in the domain's form."""
        return self._config.applied_to(self._base, tuple(self._pairs.values()))

    @cached_property
    def state(self) -> PortfolioState:
        """The books, in the domain's form."""
        capital = self._config.total_capital
        return PortfolioState(self.rules, initial_state(capital, self._start_ms), capital)

    @property
    def positions(self) -> dict[str, Position]:
        """Open positions by symbol."""
        return self.state.positions

    async def add_position(
        self, symbol: str, quantity: Decimal, price: Decimal, *, now_ms: int
    ) -> Position:
        """Book a filled entry of a long, and return the position."""
        self.book(self._execution(symbol, Side.BUY, quantity, price, now_ms))
        return self.positions[symbol]

    async def update_position(self, symbol: str, price: Decimal) -> Decimal:
        """Value a pair at a price and return its unrealized PnL, quote."""
        self.state.remember_price(symbol, price)
        position = self.positions.get(symbol)
        return Decimal(0) if position is None else position.unrealized_pnl(price)

    async def close_position(self, symbol: str, price: Decimal, *, now_ms: int) -> Trade | None:
        """Book the exit of a whole position, and return the trade; None if none was open."""
        position = self.positions.get(symbol)
        if position is None:
            return None
        side = position.side.opposite
        return self.book(self._execution(symbol, side, position.qty, price, now_ms))

    def book(self, execution: Execution) -> Trade | None:
        """Book an execution, and return the trade that it ended."""
        self.state.remember_price(execution.asset, execution.price)
        return self.state.book(execution).trade

    def get_portfolio_metrics(self) -> PortfolioFigures:
        """Return the current figures."""
        return _figures(metrics(self.state.snapshot(), self.rules))

    def check_risk_limits(self) -> bool:
        """Tell whether all limits are respected."""
        return not self.check_risk_limit_violations()

    def check_risk_limit_violations(self) -> list[Violation]:
        """Return the limits that the portfolio currently violates, with figures."""
        return violations(self.state.snapshot(), self.rules)

    def get_rebalance_actions(self) -> list[RebalanceAction]:
        """Return what to reduce or add, at the newest prices; nothing trades by itself."""
        return [
            _action(advice, advice.action)
            for advice in advise(self.positions, self.state.prices, self.state.equity(), self.rules)
            if advice.action is not None
        ]

    def _execution(
        self, symbol: str, side: Side, quantity: Decimal, price: Decimal, now_ms: int
    ) -> Execution:
        self._executions += 1
        return Execution(
            exec_id=f"{symbol}-{self._executions}",
            asset=symbol,
            ts_ms=now_ms,
            kind=ExecutionKind.TRADE,
            side=side,
            qty=quantity,
            price=price,
        )


def _action(advice: Advice, action: Rebalance) -> RebalanceAction:
    return RebalanceAction(
        symbol=advice.asset,
        action=action,
        quantity=advice.qty,
        current_pct=advice.weight * 100,
        target_pct=advice.target * 100,
    )


def _figures(found: PortfolioMetrics) -> PortfolioFigures:
    return PortfolioFigures(
        equity=found.equity,
        total_capital=found.total_capital,
        available_capital=found.available_capital,
        deployed_capital=found.deployed_capital,
        active_positions=found.active_positions,
        closed_positions=found.closed_positions,
        total_pnl=found.total_pnl,
        unrealized_pnl=found.unrealized_pnl,
        realized_pnl=found.realized_pnl,
        total_return_pct=_percent(found.total_return),
        concentration_pct=_percent(found.concentration),
        win_rate_pct=_percent(found.win_rate),
    )


def _percent(fraction: Decimal | None) -> Decimal | None:
    return None if fraction is None else fraction * 100
