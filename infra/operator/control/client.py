"""Sends commands to a running system over its control interface, for `bin/ctl`."""

import http.client
import json
import threading
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from concurrent.futures import Future
from pathlib import Path
from typing import Any

import msgspec

from domain.operator.commands import MANUALS, CommandName
from domain.operator.replies import ReplyCode
from infra.operator.control.token import ControlAddress, read_address, read_token

PATIENCE_S, PANIC_PATIENCE_S = 30.0, 15.0
"""A panic has another way, the file, and no time to lose."""
MOST_BYTES = 10_000_000
"""Largest answer: a thousand trades need a tenth of it."""


class NoAnswerError(Exception):
    """A request got no answer of the system; it may have been carried out or not."""


class LateAnswerError(NoAnswerError):
    """No answer came in time."""


class NotRunningError(NoAnswerError):
    """Nothing listens."""


class _Rows(msgspec.Struct):
    columns: list[str]
    rows: list[list[str]]


class _Answer(msgspec.Struct):
    """What an answer must hold; another program listening there may send anything."""

    code: ReplyCode
    title: str
    lines: list[str] = []
    table: _Rows | None = None


def ask(directory: Path, name: CommandName, argument: str, who: str, *, is_confirmed: bool) -> Any:
    """Return the answer to a command, as the page of the interface describes it.

    Args:
        directory: of the run.
        name: the command.
        argument: empty if it has none.
        who: the requester.
        is_confirmed: whether to skip the confirmation.

    Raises:
        NoAnswerError: no answer of the system came.
        ConfigError: the token cannot be read.
    """
    address = read_address(directory)
    if address is None:
        raise NotRunningError
    request = urllib.request.Request(  # noqa: S310 (http, by the address that we made)
        f"{address.url}/{name}",
        headers={
            "Authorization": f"Bearer {read_token(directory)}",
            "Content-Type": "application/json",
            "X-Operator": who,
        },
    )
    if MANUALS[name].changes:
        body = {"confirm": is_confirmed} | ({"argument": argument} if argument else {})
        request.data = json.dumps(body).encode()
    elif argument:
        request.full_url += f"?argument={urllib.parse.quote(argument)}"
    patience_s = PANIC_PATIENCE_S if name is CommandName.PANIC else PATIENCE_S
    try:
        return _within(patience_s, lambda: _answer(request, address, patience_s))
    except TimeoutError:
        title = f"no answer in {patience_s:g} s from {address.url} (process {address.pid})"
        raise LateAnswerError(title) from None


def _within(patience_s: float, ask_once: Callable[[], Any]) -> Any:
    """Limit the total wait: a socket's time-out restarts with each byte of an answer.

    Raises:
        TimeoutError: it took longer.
    """
    answered: Future[Any] = Future()

    def run() -> None:
        try:
            answered.set_result(ask_once())
        except Exception as error:  # noqa: BLE001 (raised again where it is waited for)
            answered.set_exception(error)

    threading.Thread(target=run, daemon=True).start()
    return answered.result(patience_s)


def _answer(request: urllib.request.Request, address: ControlAddress, patience_s: float) -> Any:
    # Never through a proxy: the token is for this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        try:
            answer = opener.open(request, timeout=patience_s)
        except urllib.error.HTTPError as refusal:
            answer = refusal  # also an answer, which can hang or break off as well
        with answer:
            return _read(answer, address)
    except TimeoutError:
        raise
    except (http.client.HTTPException, ConnectionResetError, BrokenPipeError) as error:
        raise _broken(address, error) from None
    except OSError as error:
        cause = getattr(error, "reason", error)
        if isinstance(cause, TimeoutError):
            raise TimeoutError from None
        if isinstance(cause, ConnectionResetError | BrokenPipeError):
            raise _broken(address, cause) from None
        raise NotRunningError from None


def _broken(address: ControlAddress, error: Exception) -> NoAnswerError:
    return NoAnswerError(f"{address.url} broke off, or does not speak HTTP: {type(error).__name__}")


def _read(answer: Any, address: ControlAddress) -> Any:
    body = answer.read(MOST_BYTES + 1)
    try:
        msgspec.json.decode(body[:MOST_BYTES], type=_Answer)
        return json.loads(body)
    except (ValueError, RecursionError):  # msgspec's errors are ValueErrors too
        raise NoAnswerError(
            f"expected an answer of the system from {address.url}, found something else "
            f"(HTTP {answer.status}, {len(body):,} bytes); is it another program?"
        ) from None
