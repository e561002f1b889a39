"""Requests of one account: reads are repeated within a budget, changes are sent once.

No exception of pybit, requests or urllib3 leaves this file, nor any text that holds a key.
"""

import random
import ssl
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from copy import copy
from dataclasses import replace
from itertools import count, pairwise
from typing import TypeVar
from urllib.parse import quote

import requests
from loguru import logger
from pybit.exceptions import FailedRequestError  # type: ignore[import-untyped]
from pybit.unified_trading import HTTP  # type: ignore[import-untyped]
from urllib3.exceptions import HTTPError

from domain.errors import AccessDeniedError, BadDataError, UnavailableError
from domain.market.instruments import DAY_MS
from domain.text import plain
from infra.net.errors import UnansweredError
from infra.net.server_clock import ServerClock
from infra.venues.bybit.credentials import Credentials, KeyInUse
from infra.venues.bybit.errors import NeverSentError
from infra.venues.bybit.http.causes import cause_words
from infra.venues.bybit.http.client import Client, Patience
from infra.venues.bybit.http.meter import RequestMeter, Result
from infra.venues.bybit.http.outcome import (
    HTTP_FORBIDDEN,
    TOO_MANY,
    TOO_MANY_OF_IP,
    WRONG_TIME,
    Answer,
    NoResponse,
    UnreadableError,
    header_s,
    raise_refusal,
    raise_silence,
    why_unanswered,
)
from infra.venues.bybit.http.send_fence import DEPARTURE, IsOurs, SendFence, always
from infra.venues.bybit.limits import IP_PENALTY_S, BybitLimiter, Kind
from infra.venues.bybit.shapes.market import server_time_ms
from infra.venues.bybit.shapes.messages import Refusals
from infra.venues.bybit.shapes.row import Row

_WEEK_MS = 7 * DAY_MS
_MOST_PAGES = 2000
_LONGEST_TEXT = 300
_LONGEST_HOLD_S = 5.0

Call = Callable[..., Answer]
"""An unbound method of pybit's client."""
Raw = TypeVar("Raw")
Value = TypeVar("Value")
Read = Callable[[Answer], Value]
"""Turns an answer into a value, or raises BadDataError."""


class RestTransport:
    """One account's requests; thread-safe, each thread has a connection of its own."""

    def __init__(
        self,
        credentials: Credentials | None,
        base_url: str,
        *,
        limiter: BybitLimiter,
        clock: ServerClock,
        rng: random.Random,
        patience: Patience,
        ssl_context: ssl.SSLContext,
        monotonic_s: Callable[[], float],
        sleep: Callable[[float], None],
    ) -> None:
        """Take the arguments of `BybitRest`; nothing is connected yet."""
        self.keys = KeyInUse(credentials)
        self._base_url = base_url.rstrip("/")
        self._limiter = limiter
        self.clock = clock
        self._rng = rng
        self._patience = patience
        self._ssl_context = ssl_context
        self._monotonic_s = monotonic_s
        self._sleep = sleep
        self._local = threading.local()
        self._sessions: weakref.WeakSet[requests.Session] = weakref.WeakSet()
        self._measuring = threading.Lock()
        self.meter = RequestMeter(monotonic_s)
        self.refusals = Refusals()
        """Number of unreadable answers by call."""

    def beside(self, credentials: Credentials) -> "RestTransport":
        """Return a transport that signs with another key and shares limiter, clock and meter."""
        other = copy(self)
        other.keys = KeyInUse(credentials)
        other._local = threading.local()  # noqa: SLF001 (of this class)
        other._sessions = weakref.WeakSet()  # noqa: SLF001
        return other

    def close(self) -> None:
        """Close the connections of all threads; the next call opens new ones."""
        for session in list(self._sessions):
            session.close()

    def sync_clock(self, samples: int = 3) -> None:
        """Measure the venue's time; the quickest round trip counts.

        Raises:
            UnavailableError: nothing could be measured.
            BadDataError: the answer held no time.
        """
        for sample in range(samples):
            self._limiter.wait(Kind.PUBLIC, at_most_s=self._patience.turn_s)
            asked_s = self._monotonic_s()
            outcome = self._ask(Kind.PUBLIC, HTTP.get_server_time, {}, SendFence(always))
            answered_s = self._monotonic_s()
            error = why_unanswered(outcome, self._heed(Kind.PUBLIC, outcome))
            if error is None and isinstance(outcome, Answer):
                server_ms = self.read(HTTP.get_server_time, outcome, server_time)
                self.clock.learn(asked_s=asked_s, answered_s=answered_s, server_ms=server_ms)
            elif sample == 0 and error is not None:
                raise error

    @contextmanager
    def one_budget(self) -> Iterator[None]:
        """Let all reads of this thread share one time budget."""
        self._local.until_s = self._monotonic_s() + self._patience.read_budget_s
        try:
            yield
        finally:
            self._local.until_s = None

    def get(
        self,
        kind: Kind,
        call: Call,
        query: Mapping[str, object],
        read: Read[Value],
        *,
        is_private: bool = True,
    ) -> Value:
        """Repeat a read until there is an answer, within the budget, and return its result.

        Raises:
            UnavailableError: there was none, or the venue refuses the read.
            AccessDeniedError: the key or the account is locked out.
            BadDataError: the answer has an unexpected form.
        """
        return self.read(call, self._answer(kind, call, query, is_private=is_private), read)

    def read(self, call: Call, raw: Raw, read: Callable[[Raw], Value]) -> Value:
        """Apply a reader to the answer to a call, or to a part of it, and count failures.

        Raises:
            BadDataError: the reader cannot read it.
        """
        try:
            return read(raw)
        except BadDataError as error:
            self.refusals.count(call.__name__, str(error))
            raise

    def _answer(
        self, kind: Kind, call: Call, query: Mapping[str, object], *, is_private: bool
    ) -> Answer:
        if is_private:
            self._check_keys()
        deadline_s = getattr(self._local, "until_s", None)
        if deadline_s is None:
            deadline_s = self._monotonic_s() + self._patience.read_budget_s
        for attempt in count():
            if is_private and not self.clock.is_fresh:
                self._refresh_clock()
            self._limiter.wait(kind, at_most_s=max(0.0, deadline_s - self._monotonic_s()))
            outcome = self._ask(kind, call, query, SendFence(always), deadline_s)
            error = why_unanswered(outcome, self._heed(kind, outcome))
            if error is None and isinstance(outcome, Answer):
                return outcome
            pause_s = max(self._pause_s(attempt), 0.0 if error is None else error.retry_after_s)
            if error is not None and self._monotonic_s() + pause_s >= deadline_s:
                raise error
            logger.debug("{}: {}; again in {:.2f} s", call.__name__, error, pause_s)
            self._sleep(pause_s)
        raise AssertionError

    def post(
        self,
        kind: Kind,
        call: Call,
        query: Mapping[str, object],
        is_ours: IsOurs,
        *,
        done: frozenset[int] | set[int] = frozenset(),
    ) -> Answer:
        """Send a request that changes something once; codes in `done` mean that it is already so.

        Raises:
            FencedError, RefusedError, NeverSentError, AlreadyAcceptedError, UnknownOutcomeError,
            AccessDeniedError: as for `OrderCalls.place_order`.
        """
        self._check_keys()
        departure = SendFence(is_ours)
        departure.check()
        if not self.clock.is_usable:
            self._refresh_clock()
        try:
            self._limiter.wait(kind, at_most_s=self._patience.turn_s)
        except UnansweredError as error:
            raise NeverSentError(str(error)) from None
        outcome = self._ask(kind, call, query, departure)
        self._heed(kind, outcome)
        if isinstance(outcome, NoResponse):
            raise_silence(outcome, departure)
        if outcome.code != 0 and outcome.code not in done:
            raise_refusal(outcome, departure)
        return outcome

    def history(
        self,
        call: Call,
        query: Mapping[str, object],
        limit: int,
        since_ms: int,
        until_ms: int | None,
        read: Read[Value],
    ) -> Iterator[Value]:
        """Query in windows of a week, the longest that the venue accepts."""
        end_ms = self.clock.now_ms() + 1000 if until_ms is None else until_ms
        starts = [*range(since_ms, end_ms + 1, _WEEK_MS), end_ms + 1]
        for start_ms, next_ms in pairwise(starts):
            window = {"startTime": start_ms, "endTime": next_ms - 1}
            yield from self.pages(call, {**query, **window}, limit, read)

    def pages(
        self, call: Call, query: Mapping[str, object], limit: int, read: Read[Value]
    ) -> Iterator[Value]:
        """Query page by page."""
        # The venue may give a next cursor even on the last page; an empty page, or a cursor that
        # was used before, ends the loop.
        used: set[str] = set()
        asked = {**query, "limit": limit}
        for _ in range(_MOST_PAGES):
            value, cursor = self.get(Kind.READ, call, asked, lambda a: (read(a), _next_page(a)))
            yield value
            if cursor is None or cursor in used:
                return
            used.add(cursor)
            asked["cursor"] = quote(cursor, safe="%~:,")
        self.refusals.count(call.__name__, message := f"expected at most {_MOST_PAGES} pages")
        raise BadDataError(message)

    def pause(self, attempt: int) -> None:
        """Wait before another attempt, longer after each."""
        self._sleep(self._pause_s(attempt))

    def time_of(self, answer: Answer) -> int:
        """Return the venue's time of an answer, ms."""
        return self.clock.now_ms() if answer.time_ms is None else answer.time_ms

    # One request.

    def _ask(
        self,
        kind: Kind,
        call: Call,
        query: Mapping[str, object],
        departure: SendFence,
        deadline_s: float | None = None,
    ) -> Answer | NoResponse:
        """Return the outcome, and count it; raise only if the sender is fenced."""
        client = self._client(deadline_s)
        asked_s = self._monotonic_s()
        outcome = self._outcome(client, call, query, departure)
        if isinstance(outcome, NoResponse):
            result = Result.SILENT
        else:
            result = Result.OK if outcome.code == 0 else Result.REFUSED
        took_s = self._monotonic_s() - asked_s
        self.meter.note(kind, result, took_s, str(query.get("symbol", "")))
        return outcome

    def _outcome(
        self, client: Client, call: Call, query: Mapping[str, object], departure: SendFence
    ) -> Answer | NoResponse:
        """Return the outcome of a request.

        The exceptions of pybit and requests end here and are not chained: their frames hold the
        key and the signature.
        """
        left_over = DEPARTURE.set(departure)
        try:
            answer: Answer = call(client, **query)
        except FailedRequestError as error:
            headers = error.resp_headers or {}
            return NoResponse(
                why=f"HTTP status {error.status_code}",
                status=error.status_code,
                retry_after_s=header_s(headers.get("Retry-After")),
            )
        except UnreadableError as error:
            return NoResponse(why=str(error))
        except (requests.RequestException, HTTPError) as error:
            return NoResponse(why=plain(self._without_keys(cause_words(error))))
        finally:
            DEPARTURE.reset(left_over)
        return replace(answer, text=self._without_keys(answer.text))

    def _client(self, deadline_s: float | None) -> Client:
        """Return the calling thread's client, dropping a connection that was idle for too long."""
        client: Client | None = getattr(self._local, "client", None)
        now_s = self._monotonic_s()
        if client is None:
            client = Client(
                self.keys, self._base_url, self.clock, self._patience, self._ssl_context
            )
            self._local.client = client
            self._sessions.add(client.client)
        elif now_s - client.used_s > self._patience.idle_s:
            client.client.close()
        client.used_s = now_s
        answer_s = self._patience.answer_s
        if deadline_s is not None:
            answer_s = min(answer_s, max(deadline_s - now_s, 0.1))
        client.timeout = (self._patience.connect_s, answer_s)
        return client

    def _heed(self, kind: Kind, outcome: Answer | NoResponse) -> float:
        """Apply an answer's demands on later requests, and return the seconds they must wait."""
        if isinstance(outcome, NoResponse):
            if outcome.status != HTTP_FORBIDDEN:
                return outcome.retry_after_s
            return self._stop_all(outcome.retry_after_s or IP_PENALTY_S, outcome.why)
        if outcome.code in WRONG_TIME:
            self.clock.doubt()
        if outcome.code == TOO_MANY_OF_IP:
            return self._stop_all(IP_PENALTY_S, outcome.text)
        if outcome.code != TOO_MANY:
            return 0.0
        reset_ms = outcome.reset_ms
        left_s = 1.0 if reset_ms is None else self.clock.seconds_until(reset_ms)
        hold_s = min(max(left_s, 0.1), _LONGEST_HOLD_S)
        self._limiter.hold(kind, hold_s)
        return hold_s

    def _stop_all(self, for_s: float, why: str) -> float:
        logger.error("the venue shut this address out, all requests stop for {} s: {}", for_s, why)
        self._limiter.shut(for_s, why)
        return for_s

    def _refresh_clock(self) -> None:
        """Measure the time again; without an answer keep the old offset."""
        if not self._measuring.acquire(timeout=1.0):
            return  # another thread is doing it; a request must not wait for that
        try:
            if not self.clock.is_fresh:
                self.sync_clock()
        except (UnavailableError, BadDataError) as error:
            logger.warning("the venue's time could not be measured: {}", error)
        finally:
            self._measuring.release()

    def _pause_s(self, attempt: int) -> float:
        longest_s = min(
            self._patience.first_pause_s * 2.0 ** min(attempt, 20), self._patience.longest_pause_s
        )
        return longest_s * self._rng.uniform(0.5, 1.0)

    def _check_keys(self) -> None:
        if self.keys.now is None:
            raise AccessDeniedError("this needs an API key, and none is set")

    def _without_keys(self, text: str) -> str:
        # The venue's error about a wrong signature quotes what was signed, including the key.
        return " ".join(self.keys.hidden(text).split())[:_LONGEST_TEXT]


def server_time(answer: Answer) -> float:
    """Return the venue's time in an answer, ms since 1970 UTC."""
    return server_time_ms(answer.result)


def _next_page(answer: Answer) -> str | None:
    """Return the cursor of the page after this one; None after an empty one."""
    page = Row("page", answer.result)
    return page.text_if_any("nextPageCursor") if page.items("list") else None
