"""What a trace holds about one asset in one span of time, ready to be queried."""

from collections.abc import Iterator
from typing import Any

from infra.trace.query.text import fields_of
from infra.trace.reader import Found, TraceReader
from infra.trace.records import StoredTold

_MARGIN_MS = 15 * 60_000
"""Margin around the span: the candle before the signal, the updates after the exit."""
_ENDED = ("crashed", "hung")

Fields = dict[str, Any]


class Evidence:
    """The records of an asset's actor, of its execution and of the portfolio."""

    def __init__(self, reader: TraceReader, asset: str, from_ms: int, to_ms: int) -> None:
        """Read a span of trading time, with a margin."""
        self._asset = asset
        self._reporter, self._hand = f"asset/{asset}", f"execution/{asset}"
        keys = (self._reporter, self._hand, "portfolio")
        self._span = (from_ms, to_ms)
        self._records = list(
            reader.read(keys=keys, from_ms=from_ms - _MARGIN_MS, to_ms=to_ms + _MARGIN_MS)
        )
        self._reports: dict[int, tuple[Fields, Found]] = {}
        self._explanations: dict[int, Fields | None] = {}
        for found, told in self._told("AssetReported"):
            fields = fields_of(told.payload)
            report = fields["report"]
            if report["asset"] == asset:
                self._reports.setdefault(report["t_ms"], (report, found))
                self._explanations.setdefault(report["t_ms"], fields.get("explanation"))

    def candle(self, t_ms: int) -> Found | None:
        """Return the message with the candle that closed at the given time."""
        for found in self._of(self._reporter, "CandleClosed"):
            if fields_of(found.handling.payload)["candle"]["close_time_ms"] == t_ms:
                return found
        return None

    def report(self, t_ms: int) -> tuple[Fields | None, Found | None]:
        """Return the asset's evaluation of a close, and the message that carried it."""
        return self._reports.get(t_ms, (None, None))

    def report_before(self, t_ms: int) -> tuple[Fields | None, Found | None]:
        """Return the evaluation before that of a close."""
        earlier = [time for time in self._reports if time < t_ms]
        return self.report(max(earlier)) if earlier else (None, None)

    def newest_close(self, until_ms: int) -> int | None:
        """Return the newest evaluated close up to a time; None if there is none."""
        return max((t_ms for t_ms in self._reports if t_ms <= until_ms), default=None)

    def explanation(self, t_ms: int) -> Fields | None:
        """Return the reasons for the asset's evaluation of a close; None if no trace has them."""
        return self._explanations.get(t_ms)

    def answer(self, t_ms: int) -> Found | None:
        """Return the message in which the portfolio decided on the entry signal of a close."""
        for kind, name in (("EntryApproved", "approval"), ("EntryDenied", "denial")):
            for found, told in self._told(kind):
                fields = fields_of(told.payload)[name]
                if fields["t_ms"] == t_ms and fields["asset"] == self._asset:
                    return found
        return None

    def submitted(self, order_id: str) -> Found | None:
        """Return the message during which an order was sent, or stored."""
        for found in self._records:
            for call in found.handling.calls:
                if call.method in ("submit", "append") and order_id.encode() in bytes(
                    call.arguments
                ):
                    return found
        return None

    def exchange_answer(self, order_id: str) -> tuple[Found | None, str | None]:
        """Return the exchange's answer to an order, or to a later question about it."""
        for found in self._records:
            for call in found.handling.calls:
                is_asked = call.port == "exchange" and call.method in ("submit", "order")
                if not is_asked or order_id.encode() not in bytes(call.arguments):
                    continue
                if call.raised is not None:
                    return found, call.raised.cause
                update = fields_of(call.result)
                if update is not None:
                    how = "" if call.method == "submit" else ", when asked again"
                    return found, f"{update['status']} by the exchange{how}"
        for found in self._of(self._hand, "OrderSeen"):
            update = fields_of(found.handling.payload)["update"]
            if update["client_order_id"] == order_id:
                return found, f"{update['status']} by the exchange's stream"
        return None, None

    def execution(self, exec_id: str) -> Found | None:
        """Return the message during which an execution was booked."""
        for found in self._records:
            for call in found.handling.calls:
                if call.method == "append" and exec_id.encode() in bytes(call.arguments):
                    return found
        return None

    def stops(
        self, *, is_over: bool, before_ms: int | None = None
    ) -> tuple[Found | None, Fields | None]:
        """Return the newest levels sent to the exchange, not counting those of a later position.

        Args:
            is_over: whether the position is closed.
            before_ms: when its stop first trailed the best price; None: never.
        """
        until_ms = self._span[1] + (0 if is_over else _MARGIN_MS)
        if before_ms is not None:
            until_ms = before_ms
        newest: tuple[Found | None, Fields | None] = (None, None)
        for found in self._records:
            for call in found.handling.calls:
                is_of_span = self._span[0] <= found.handling.now_ms <= until_ms
                if call.method == "set_stops" and call.raised is None and is_of_span:
                    newest = found, fields_of(call.arguments)[1][1]
        return newest

    def close_command(self, t_ms: int) -> Found | None:
        """Return the message in which closing the position was decided."""
        for found, told in self._told("ClosePosition"):
            fields = fields_of(told.payload)
            if fields["t_ms"] == t_ms and fields["asset"] == self._asset:
                return found
        return next(
            (
                found
                for found in self._records
                if found.handling.receiver == self._hand
                and found.handling.now_ms == t_ms
                and any(call.method == "submit" for call in found.handling.calls)
            ),
            None,
        )

    def crashes(self) -> list[Found]:
        """Return the crashes in the span."""
        first_ms, last_ms = self._span
        return [
            found
            for found in self._records
            if found.handling.outcome in _ENDED and first_ms <= found.handling.now_ms <= last_ms
        ]

    def restarts(self) -> list[Found]:
        """Return the first record of each process that began in the span."""
        first_ms, last_ms = self._span
        seen: dict[int, Found] = {}
        for found in self._records:
            seen.setdefault(found.session.number, found)
        return [
            found
            for found in list(seen.values())[1:]
            if first_ms <= found.handling.now_ms <= last_ms
        ]

    def _of(self, receiver: str, kind: str) -> Iterator[Found]:
        for found in self._records:
            if (found.handling.receiver, found.handling.kind) == (receiver, kind):
                yield found

    def _told(self, kind: str) -> Iterator[tuple[Found, StoredTold]]:
        for found in self._records:
            for told in found.handling.told:
                if told.kind == kind:
                    yield found, told
