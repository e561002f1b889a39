"""Related positions: correlations signed by side, groups, concentration (multi-pair 6.1 to 6.3).

A hedge is not a concentration: the correlation of a long and a short counts with its sign reversed.
A flat asset has the side on which its strategy enters.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from decimal import Decimal

from domain.market.instruments import Side
from domain.operator import wording as say
from domain.portfolio.groups import Held, deployed_of, group_of, largest_deployed, signed
from domain.portfolio.snapshots import PortfolioSnapshot
from domain.rules import TradingRules
from domain.strategies.registry import strategy_class
from domain.trading.positions import ZERO

NOTHING_OPEN = "nothing open"
_NONE = "none"


@dataclass(frozen=True, slots=True)
class RiskGroups:
    """The open positions of a snapshot, as seen by the group limits."""

    found: PortfolioSnapshot
    rules: TradingRules

    def limits(self) -> Iterator[tuple[str, str, str]]:
        """Yield each limit with its current figure, as shares of the balance."""
        limits = self.rules.approval
        yield "correlation of an entry", self._highest(), _plain(limits.correlation_limit)
        yield "position size", self._largest_position(), _share(limits.max_position_size)
        groups = self._groups()
        cap = _share(limits.max_correlated_exposure)
        yield "exposure of a group", self._largest(self._exposures(groups)), cap
        top = f"largest {limits.concentration_top_n}: "
        most = _share(limits.max_concentration)
        concentrations = {
            name: largest_deployed(group, limits.concentration_top_n, self.rules)
            for name, group in groups.items()
        }
        yield "concentration of a group", self._largest(concentrations, top), most
        names = {asset.correlation_group for asset in self.rules.assets} - {None}
        for name in sorted(name for name in names if name is not None):
            group = groups.get(name, {})
            exposure = sum((one.notional for one in group.values()), ZERO)
            yield f"exposure of group {name}", self._of_balance(exposure), cap
            yield f"concentration of {name}", self._of_balance(concentrations.get(name, ZERO)), most

    @property
    def _held(self) -> dict[str, Held]:
        positions = self.found.positions.items()
        return {asset: Held(side=p.side, notional=p.notional) for asset, p in positions}

    def _side(self, asset: str) -> Side | None:
        held = self.found.positions.get(asset)
        if held is not None:
            return held.side
        kind = strategy_class(self.rules.asset(asset).terms.strategy.name)
        return getattr(kind, "side", None)

    def _highest(self) -> str:
        known = {
            pair: value
            for pair in self.found.correlations
            if (value := self._signed(*pair)) is not None
        }
        if not known:
            return "too few closes" if self.found.correlations else NOTHING_OPEN
        (left, right), highest = max(known.items(), key=lambda item: item[1])
        return f"{highest:.2f} ({left} with {right})"

    def _signed(self, left: str, right: str) -> float | None:
        """Return the correlation of an asset with an open position."""
        value = self.found.correlations.get((left, right))
        side, other = self._side(left), self.found.positions.get(right)
        return value if side is None or other is None else signed(value, side, other.side)

    def _groups(self) -> dict[str, dict[str, Held]]:
        """Return the exposure of each named group, and of each other asset's correlated ones."""
        held = self._held
        found: dict[str, dict[str, Held]] = {}
        for rules in self.rules.assets:
            asset, side = rules.asset, self._side(rules.asset) or Side.BUY
            group = group_of(asset, side, held, self.rules, self._correlation)
            group |= {asset: held[asset]} if asset in held else {}
            found[rules.correlation_group or f"with {asset}"] = group
        return found

    def _correlation(self, left: str, right: str) -> float | None:
        return self.found.correlations.get((left, right))

    def _exposures(self, groups: Mapping[str, Mapping[str, Held]]) -> dict[str, Decimal]:
        return {
            name: sum((one.notional for one in group.values()), ZERO)
            for name, group in groups.items()
        }

    def _largest(self, amounts: Mapping[str, Decimal], before: str = "") -> str:
        if not self.found.positions:
            return NOTHING_OPEN
        name, largest = max(amounts.items(), key=lambda item: item[1])
        return f"{before}{self._of_balance(largest)} ({name})"

    def _largest_position(self) -> str:
        deployed = {
            asset: deployed_of(asset, held.notional, self.rules)
            for asset, held in self.found.positions.items()
        }
        return self._largest(deployed)

    def _of_balance(self, amount: Decimal) -> str:
        balance = self.found.balance
        return say.percent(amount / balance if balance > 0 else ZERO)


def _share(limit: Decimal | None) -> str:
    return _NONE if limit is None else say.percent(limit)


def _plain(limit: float | None) -> str:
    return _NONE if limit is None else f"{limit:g}"
