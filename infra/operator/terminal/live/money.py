"""The portfolio: equity and PnL in a line, and its limits as bars."""

from collections.abc import Iterator
from decimal import Decimal

from rich.text import Text

from domain.text import counted
from infra.operator.terminal.live.rows import flowing, joined
from infra.operator.terminal.live.scene import Scene

_BAR = 10
_WARN, _DANGER = Decimal("0.5"), Decimal("0.8")
_ORDER = (0, 1, 3, 2, 4)
_USED = ("exposure", "positions")
_CALM = ("cyan", "green")


def money(scene: Scene, width: int) -> Text:
    """Return equity and PnL: open, today's, and of all closed trades."""
    portfolio = scene.seen.portfolio
    if portfolio is None:
        known = [pnl for asset in scene.held if (pnl := scene.pnl(asset)) is not None]
        total = Text.assemble("open PnL ", _signed(sum(known, Decimal(0))))
        return joined(
            [Text("the portfolio does not answer", "bold bright_red"), total], width, (1, 0)
        )
    known = [pnl for asset in scene.held if (pnl := scene.pnl(asset)) is not None]
    parts = [
        Text.assemble("equity ", (f"{portfolio.equity:,.2f}", "bold")),
        Text.assemble("open PnL ", _signed(sum(known, Decimal(0)))),
        Text.assemble(f"{counted(portfolio.trades, 'trade')} ", _signed(portfolio.realized_pnl)),
        Text.assemble("today ", _signed_share(portfolio.today_return)),
        Text(f"balance {portfolio.balance:,.2f}"),
    ]
    return joined(parts, width, _ORDER)


def bars(scene: Scene, width: int, *, is_short: bool) -> list[Text]:
    """Return each limit with its current figure, on as many lines as needed.

    Args:
        scene: to show.
        width: cells.
        is_short: whether there is only one line, for the limits that are nearest.
    """
    found = [_bar(*limit) for limit in _limits(scene)]
    if not is_short:
        return flowing(found, width)
    shares = [_share(now, limit) for _, now, limit, _ in _limits(scene)]
    nearest = sorted(range(len(found)), key=lambda index: -shares[index])
    return [joined(found, width, nearest)] if found else []


_Limit = tuple[str, Decimal, Decimal, str]
"""Name, current figure, limit, and both as text; empty text: as percent."""


def _limits(scene: Scene) -> Iterator[_Limit]:
    portfolio, rules = scene.seen.portfolio, scene.rules
    if portfolio is None:
        return
    capital = portfolio.capital or portfolio.balance
    if capital > 0:
        most = rules.approval.max_total_exposure
        yield "exposure", portfolio.exposure / capital, most, ""
    held = Decimal(len(portfolio.positions))
    most = Decimal(rules.approval.max_positions)
    yield "positions", held, most, f"{held} of {most}"
    levels = [level for level, _ in rules.protection.drawdown_steps]
    ends = (rules.protection.drawdown_emergency_fraction, rules.protection.drawdown_halt_fraction)
    levels += [level for level in ends if level is not None]
    if levels:
        steps = "/".join(f"{level:.0%}" for level in sorted(set(levels)))
        now = f"{portfolio.drawdown:.1%} of {steps}"
        yield "drawdown", portfolio.drawdown, max(levels), now
    limit = rules.protection.max_daily_loss_fraction
    if limit is not None:
        yield "daily loss", max(Decimal(0), portfolio.daily_loss), limit, ""


def _share(now: Decimal, limit: Decimal) -> Decimal:
    return min(Decimal(1), max(Decimal(0), now / limit)) if limit else Decimal(1)


def _bar(name: str, now: Decimal, limit: Decimal, words: str) -> Text:
    share = _share(now, limit)
    filled = int(share * _BAR + Decimal("0.5"))
    style = _style(name, now, limit)
    return Text.assemble(
        (f"{name} ", "dim"),
        ("█" * filled, style),
        ("░" * (_BAR - filled), "dim"),
        (f" {words or f'{now:.1%} of {limit:.0%}'}", "" if style in _CALM else style),
    )


def _style(name: str, now: Decimal, limit: Decimal) -> str:
    """Return the style of a limit by how near it is: exhausting an allowance is no danger."""
    if name in _USED:
        return "bold bright_red" if now > limit else "cyan"
    share = _share(now, limit)
    return "green" if share < _WARN else "yellow" if share < _DANGER else "bold bright_red"


def _signed(value: Decimal) -> tuple[str, str]:
    return f"{value:+,.2f}", "bold green" if value >= 0 else "bold bright_red"


def _signed_share(value: Decimal) -> tuple[str, str]:
    return f"{value:+.2%}", "green" if value >= 0 else "red"
