"""Answers to the operator's queries, from the current state of the actors and from the facts."""

import platform
import sqlite3
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from decimal import Decimal
from importlib.metadata import version
from typing import Any

from actors.core.supervisor import Child
from actors.messages import LinksSampled
from actors.operator.actor_view import actor_view
from actors.operator.performance_view import performance_view
from actors.operator.portfolio_view import advice_data, portfolio_view
from actors.operator.ports import FactStore, NoticeChannels
from actors.operator.risk_view import Present, limits
from actors.operator.tables import Row, table_reply
from actors.runtime import Runtime
from actors.wording import market, reports
from actors.wording.outlook import opportunity
from domain.market.instruments import DAY_MS, MINUTE_MS
from domain.operator import wording as say
from domain.operator.commands import MANUALS, CommandName, explained
from domain.operator.notices import ReportPeriod
from domain.operator.replies import Reply, ReplyCode
from domain.operator.system import SystemSnapshot
from domain.operator.wording import advice_line
from domain.portfolio.metrics import metrics
from domain.portfolio.snapshots import AssetSnapshot, PortfolioSnapshot
from domain.rules import TradingRules
from domain.trading.positions import Trade
from domain.trading.sizing import protective_levels

_TRADES = 10
_WEEK_DAYS = 7
_ANSWER_S = 0.5
"""Longest time for asking all actors."""
_YEAR = len("2026-")
"""Left out of a trade's time, so that its row fits a screen; programs get the full time."""
_PACKAGES = (
    "pykka",
    "pybit",
    "websocket-client",
    "numpy",
    "peewee",
    "pydantic",
    "fastapi",
    "uvicorn",
    "python-telegram-bot",
    "apprise",
)
Handler = Callable[[str], Reply]


class Views:
    """Reads a run; changes nothing."""

    def __init__(
        self,
        runtime: Runtime,
        store: FactStore,
        channels: NoticeChannels,
        program: str,
        health: Callable[[], Mapping[str, str]],
        inspect: Callable[[float], SystemSnapshot],
    ) -> None:
        """Read a run.

        Args:
            runtime: the actors.
            store: the facts.
            channels: of the notifications.
            program: its version.
            health: returns figures of the process and its environment, by name.
            inspect: returns the shared snapshot of the run; takes a time-out, s.
        """
        self._runtime, self._store, self._channels = runtime, store, channels
        self._program = program
        self._process_figures = health
        self._inspect = inspect

    @property
    def _rules(self) -> TradingRules:
        """The rules of the pairs traded now."""
        return self._runtime.rules

    def handlers(self) -> dict[CommandName, Handler]:
        """Return the handler of each query."""
        return {
            CommandName.STATUS: self._status,
            CommandName.POSITIONS: self._positions,
            CommandName.BALANCE: self._balance,
            CommandName.REGIMES: self._regimes,
            CommandName.COOLDOWNS: self._cooldowns,
            CommandName.TRADES: self._trades,
            CommandName.DAILY: lambda _: self._report("Daily", 1),
            CommandName.WEEKLY: lambda _: self._report("Weekly", _WEEK_DAYS),
            CommandName.PERFORMANCE: self._performance,
            CommandName.PORTFOLIO: self._portfolio_view,
            CommandName.RISK: self._risk,
            CommandName.HEALTH: self._health,
            CommandName.ACTORS: self._actors,
            CommandName.VERSION: self._version,
            CommandName.HELP: self._help,
        }

    # Current state.

    def _status(self, _: str) -> Reply:
        portfolio, info = self._portfolio(), self._runtime.info
        keeps = list(self._keeps_back(portfolio))
        held = ", ".join(portfolio.positions) or "none"
        troubles = self._channels.troubles()
        return Reply(
            code=ReplyCode.DONE,
            title=f"{info.mode}, {say.utc(self._now_ms())}",
            lines=(
                f"Account: {info.account}",
                f"Started {say.utc(info.started_ms)}",
                f"Equity {say.usdt(portfolio.equity)}, balance {say.usdt(portfolio.balance)}",
                f"Exposure {say.usdt(portfolio.exposure)}, positions: {held}",
                f"Drawdown {say.percent(portfolio.drawdown)}, trades {portfolio.trades}",
                *(keeps or ["Entries are allowed"]),
                *(f"{say.SIREN} {c} does not work: {say.words(w)}" for c, w in troubles.items()),
            ),
            data={
                "mode": info.mode,
                "account": info.account,
                "time_ms": self._now_ms(),
                "started_ms": info.started_ms,
                **_money(portfolio),
                "positions": sorted(portfolio.positions),
                "trades": portfolio.trades,
                "paused": sorted(portfolio.paused),
                "panic_since_ms": portfolio.panic_since_ms,
                "panic_by": portfolio.panic_by,
                "not_flat": sorted(portfolio.not_flat),
                "is_halted": portfolio.is_halted,
                "outdated": portfolio.outdated,
                "is_reduced": portfolio.is_reduced,
                "global_cooldown_end_ms": portfolio.global_cooldown_end_ms,
                "global_cooldown_reason": portfolio.global_cooldown_reason,
                "malfunctions": dict(portfolio.malfunctions),
                "given_up": self._runtime.given_up(),
                "channels_in_trouble": troubles,
            },
        )

    def _keeps_back(self, portfolio: PortfolioSnapshot) -> Iterator[str]:
        if portfolio.panic_since_ms is not None:
            waits = ", ".join(sorted(portfolio.not_flat))
            yield f"{say.SIREN} PANIC since {say.utc(portfolio.panic_since_ms)}, until rearm"
            yield f"Asked for by {say.asker(portfolio.panic_by)}"
            yield f"Not confirmed flat yet: {waits}" if waits else "All flat at the exchange"
        if portfolio.is_halted:
            yield f"{say.SIREN} HALTED until rearm"
        if portfolio.outdated:
            yield f"{say.SIREN} Older journal: {portfolio.outdated}"
        if portfolio.paused:
            yield f"Paused: {', '.join(sorted(portfolio.paused))}"
        if portfolio.suspended:
            yield f"Suspended: {', '.join(sorted(portfolio.suspended))}"
        if portfolio.global_cooldown_end_ms > self._now_ms():
            yield f"Cooldown {say.rest(*_global_rest(portfolio), self._now_ms())}"
        if portfolio.is_reduced:
            yield "Entries at reduced size"
        yield from (f"Broken: {detail}" for detail in portfolio.malfunctions.values())

    def _positions(self, _: str) -> Reply:
        portfolio = self._portfolio()
        advice = {one.asset: one for one in portfolio.advice}
        rows, data = [], []
        for asset, position in portfolio.positions.items():
            rules = self._rules.asset(asset)
            price = portfolio.prices.get(asset, position.avg_entry_price)
            stops = rules.stops if position.terms is None else position.terms.stops
            levels = protective_levels(
                position.avg_entry_price, position.side, stops, rules.instrument
            )
            pnl = position.unrealized_pnl(price)
            rows.append(
                (
                    asset,
                    say.direction(position.side),
                    f"{position.qty:f}",
                    say.price(position.avg_entry_price, rules.instrument),
                    say.price(price, rules.instrument),
                    say.price(levels.stop_loss, rules.instrument),
                    "none"
                    if levels.take_profit is None
                    else say.price(levels.take_profit, rules.instrument),
                    f"{pnl:+,.2f}",
                    say.duration(max(0, self._now_ms() - position.opened_ms)),
                )
            )
            data.append(
                {
                    "asset": asset,
                    "side": str(position.side),
                    "qty": f"{position.qty:f}",
                    "entry_price": f"{position.avg_entry_price:f}",
                    "mark_price": f"{price:f}",
                    "stop_loss": f"{levels.stop_loss:f}",
                    "take_profit": None
                    if levels.take_profit is None
                    else f"{levels.take_profit:f}",
                    "unrealized_pnl": f"{pnl:f}",
                    "opened_ms": position.opened_ms,
                    "is_external": position.is_external,
                    "advice": advice_data(advice.get(asset)),
                }
            )
        columns = ("asset", "side", "qty", "entry", "price", "stop", "target", "PnL", "held")
        reply = table_reply("Positions", columns, rows, {"positions": data}, "Nothing is open")
        return replace(reply, lines=tuple(filter(None, map(advice_line, portfolio.advice))))

    def _portfolio_view(self, which: str) -> Reply:
        return portfolio_view(which, self._portfolio(), self._rules)

    def _balance(self, _: str) -> Reply:
        portfolio = self._portfolio()
        rows = [
            (name.replace("_", " "), f"{Decimal(value):,.2f}")
            for name, value in _money(portfolio).items()
        ]
        return table_reply("Balance", ("what", "USDT"), rows, _money(portfolio))

    def _regimes(self, _: str) -> Reply:
        rows: list[Row] = []
        data: dict[str, Any] = {}
        snapshots = dict(self._assets())
        for asset, found in snapshots.items():
            if found is None or found.report is None:
                rows.append((asset, "no answer" if found is None else "waiting for candles"))
                data[asset] = None
                continue
            report, instrument = found.report, self._rules.asset(asset).instrument
            figures = ", ".join(say.values(report.values, instrument))
            price = say.price(report.close, instrument)
            rows.append((asset, str(report.regime), price, figures, say.utc(report.t_ms)))
            data[asset] = {
                "regime": str(report.regime),
                "close": report.close,
                **{value.name: value.figure for value in report.values},
                "t_ms": report.t_ms,
            }
        columns = ("asset", "regime", "price", "figures", "close of")
        reply = table_reply("Regimes", columns, rows, data)
        return replace(reply, lines=(opportunity(snapshots.values()),))

    def why(self, asset: str) -> Reply | None:
        """Return the reasons for an asset's current behavior; None if there is no such asset."""
        if asset not in {rules.asset for rules in self._rules.assets}:
            return None
        found = self._runtime.asset_snapshot(asset)
        if found is None:
            raise TimeoutError
        explanation = found.explanation
        if explanation is None:
            return Reply(code=ReplyCode.DONE, title=f"{asset}: {say.decided(found)}")
        keeps = self._keeps_back(self._portfolio())
        return Reply(
            code=ReplyCode.DONE,
            title=f"{asset}, close of {say.utc(explanation.t_ms)}: {say.decided(found)}",
            lines=(*market.conditions(explanation), *keeps),
            data={
                "asset": asset,
                "outcome": say.decided(found),
                "t_ms": explanation.t_ms,
                "entry": [each._asdict() for each in explanation.entry],
                "stay": [each._asdict() for each in explanation.stay],
            },
        )

    def _cooldowns(self, _: str) -> Reply:
        rests = {"portfolio": _global_rest(self._portfolio())}
        data: dict[str, Any] = {}
        rows: list[Row] = []
        for asset, found in self._assets():
            if found is None:
                data[asset] = None
                rows.append((asset, "? min", "", "no answer"))
            else:
                rests[asset] = (found.cooldown_reason, found.cooldown_end_ms)
        details = {}
        for who, (reason, end_ms) in rests.items():
            left_ms = end_ms - self._now_ms()
            minutes = max(0, left_ms) // MINUTE_MS
            data[who] = minutes
            if left_ms > 0:
                details[who] = {"reason": reason, "end_ms": end_ms, "minutes": minutes}
                rows.append((who, f"{minutes} min", say.utc(end_ms), reason))
        data["details"] = details
        columns = ("who", "left", "until", "reason")
        return table_reply("Cooldowns", columns, rows, data, "No cooldown is running")

    def _risk(self, _: str) -> Reply:
        found, assets = self._portfolio(), dict(self._assets())
        reports = [seen.report for seen in assets.values() if seen and seen.report]
        close_ms = max((report.t_ms for report in reports), default=None)
        approved = None
        store = self._store
        with store.connected():
            trades = store.trades()
            if close_ms is not None:
                approved = store.records().approvals(close_ms, close_ms + 1)
        present = Present(
            now_ms=self._now_ms(),
            portfolio=found,
            assets=assets,
            trades=trades,
            approved=approved,
            health=dict(self._process_figures()),
        )
        rows = list(limits(present, self._rules))
        data = {name: {"now": now, "limit": limit} for name, now, limit in rows}
        reply = table_reply("Risk", ("limit of", "now", "limit"), rows, data)
        return replace(reply, lines=tuple(self._keeps_back(found)))

    # The process.

    def _health(self, _: str) -> Reply:
        found = dict(self._process_figures())
        children = self._runtime.supervisor.children()
        running = sum(child.status == "RUNNING" for child in children)
        portfolio = self._seen_portfolio()
        keeps = ["not known"] if portfolio is None else list(self._keeps_back(portfolio))
        found["entries"] = "; ".join(keeps) or "allowed"
        found["actors running"] = f"{running} of {len(children)}"
        found["messages waiting"] = str(sum(self._runtime.depths().values()))
        found["dead letters"] = str(self._runtime.system.dead_letter_count)
        return table_reply("Health", ("what", "now"), list(found.items()), found)

    def _actors(self, address: str) -> Reply:
        if address:
            return actor_view(self._runtime, address)
        depths = self._runtime.depths()
        rows = [_actor_row(child, depths) for child in self._runtime.supervisor.children()]
        names = ("actor", "status", "generation", "restarts", "waiting", "last failure")
        data = {row[0]: dict(zip(names[1:], row[1:], strict=True)) for row in rows}
        return table_reply("Actors", names, rows, data)

    def _version(self, _: str) -> Reply:
        found = {
            "program": self._program,
            "Python": platform.python_version(),
            "platform": f"{sys.platform} {platform.machine()}",
            "SQLite": sqlite3.sqlite_version,
            **{name: version(name) for name in _PACKAGES},
        }
        return table_reply("Version", ("what", "version"), list(found.items()), found)

    def _help(self, about: str) -> Reply:
        if about:
            title, *lines = explained(CommandName(about))
            data = {"commands": {title: MANUALS[CommandName(about)].does}}
            return Reply(code=ReplyCode.DONE, title=title, lines=tuple(lines), data=data)
        does = {f"{name} {manual.usage}".rstrip(): manual.does for name, manual in MANUALS.items()}
        return table_reply("Commands", ("command", "does"), list(does.items()), {"commands": does})

    # The facts.

    def _trades(self, count: str) -> Reply:
        wanted = int(count or _TRADES)
        newest = self._stored_trades()[-wanted:]
        rows = [self._trade_row(trade) for trade in reversed(newest)]
        columns = ("closed, UTC", "asset", "side", "qty", "entry", "exit", "PnL", "reason")
        data = [{name: str(getattr(t, name)) for name in t.__slots__} for t in newest]
        return table_reply("Trades", columns, rows, {"trades": data}, "No trades yet")

    def _trade_row(self, trade: Trade) -> Row:
        # An asset that is no longer traded has no digits of its own here.
        instruments = {rules.asset: rules.instrument for rules in self._rules.assets}
        instrument = instruments.get(trade.asset)
        prices = (trade.entry_price, trade.exit_price)
        return (
            say.utc(trade.exit_ms).removesuffix(" UTC")[_YEAR:],
            trade.asset,
            say.direction(trade.side),
            f"{trade.qty:f}",
            *(f"{p:,f}" if instrument is None else say.price(p, instrument) for p in prices),
            f"{trade.pnl:+,.2f}",
            str(trade.reason),
        )

    def _performance(self, period: str) -> Reply:
        assets = [rules.asset for rules in self._rules.assets]
        seen = self._inspect(_ANSWER_S)
        money = None if seen.portfolio is None else metrics(seen.portfolio, self._rules)
        trades, now_ms = self._stored_trades(), self._now_ms()
        return performance_view(trades, assets, period.lower(), now_ms, seen.performance, money)

    def _report(self, name: str, days: int) -> Reply:
        """Return the report up to now, in the form of the scheduled one."""
        now_ms = self._now_ms()
        from_ms = (now_ms // DAY_MS - days + 1) * DAY_MS
        period = ReportPeriod(name=name, from_ms=from_ms, until_ms=now_ms + 1, due_ms=now_ms)
        store, seen = self._store, self._inspect(_ANSWER_S)
        with store.connected():
            records = store.records()
            facts = reports.PeriodFacts(
                period=period,
                trades=records.trades(from_ms, now_ms + 1),
                denials=records.denials(from_ms, now_ms + 1),
                restarts={name: count for name, count in self._runtime.restarts().items() if count},
                balance_before=records.balance_at(from_ms),
                performances=seen.performance,
            )
        text = reports.report(facts, self._present(seen), now_ms, self._rules).text
        title, *lines = text.split("\n")
        return Reply(code=ReplyCode.DONE, title=title, lines=tuple(lines), data={"text": text})

    def _present(self, seen: SystemSnapshot) -> reports.PresentFacts:
        portfolio = self._runtime.portfolio_snapshot() if seen.portfolio is None else seen.portfolio
        assets = {asset: found for asset, found in self._assets() if found is not None}
        links = tuple(seen.links.values())
        sampled = LinksSampled(links=links, journal_connections=self._store.connections)
        return reports.PresentFacts(portfolio, assets, sampled if links else None)

    def _stored_trades(self) -> list[Trade]:
        store = self._store
        with store.connected():
            return store.trades()

    def _portfolio(self) -> PortfolioSnapshot:
        found = self._seen_portfolio()
        if found is None:
            raise TimeoutError
        return found

    def _seen_portfolio(self) -> PortfolioSnapshot | None:
        found = self._inspect(_ANSWER_S).portfolio
        # A busy actor is waited for longer, but not while all others wait for the snapshot.
        return self._runtime.portfolio_snapshot() if found is None else found

    def _assets(self) -> Iterator[tuple[str, AssetSnapshot | None]]:
        for rules in self._rules.assets:
            yield rules.asset, self._runtime.asset_snapshot(rules.asset)

    def _now_ms(self) -> int:
        return self._runtime.clock.now_ms()


def _global_rest(portfolio: PortfolioSnapshot) -> tuple[str, int]:
    return portfolio.global_cooldown_reason, portfolio.global_cooldown_end_ms


def _money(portfolio: PortfolioSnapshot) -> dict[str, str]:
    names = ("balance", "equity", "exposure", "realized_pnl")
    return {name: f"{getattr(portfolio, name):f}" for name in names}


def _actor_row(child: Child, depths: Mapping[str, int]) -> Row:
    failure = child.reports[-1].cause if child.reports else ""
    return (
        child.spec.address,
        "given up" if child.given_up_because is not None else child.status.lower(),
        str(child.generation),
        str(child.restarts),
        str(depths.get(child.spec.address, 0)),
        say.words(child.given_up_because or failure)[:60],
    )
