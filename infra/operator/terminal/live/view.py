"""Shows a run until it ends, and executes keys. Its own failures never end a run."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from typing import Protocol

from loguru import logger
from rich.control import Control

from domain.errors import TradingError
from domain.operator.commands import ALL, Command, CommandName
from domain.operator.replies import Reply
from infra.operator.terminal.live.keyboard import TAB, Keyboard
from infra.operator.terminal.live.picture import Picture
from infra.operator.terminal.live.rows import safe
from infra.operator.terminal.live.scene import Panel, Scene
from infra.operator.terminal.screen import Screen

OPERATOR = "terminal"
"""Operator name under which commands by keys are stored."""
_DRAW_EVERY_S = 0.5
_POLL_S = 0.1
_NOTE_S = 15.0
_CONFIRM_S = 10.0
_TAKE, _GIVE_BACK = "\x1b[?7l\x1b[?2004h", "\x1b[?2004l\x1b[?7h"
"""Switches line wrapping off, as terminals disagree on character widths; marks pasted text."""
_ASK = "PANIC closes everything and opens nothing until rearm. y: do it; any other key: do not"


class Run(Protocol):
    """The run that is shown and controlled."""

    def scene(self, panel: Panel) -> Scene:
        """Return the current scene; note and keys are filled in here."""

    def answer(self, command: Command) -> Reply:
        """Carry out a confirmed command, and return the result."""

    def stop(self) -> None:
        """Ask the run to shut down."""

    def is_over(self) -> bool:
        """Tell whether the run is ending."""


class LiveView:
    """The live view of a run on the terminal."""

    def __init__(self, run: Run, screen: Screen) -> None:
        """Take the run; nothing is shown yet."""
        self._run, self._screen = run, screen
        self._keyboard = Keyboard()
        self._panel = Panel.ASSETS
        self._note, self._noted_s = "", 0.0
        self._asked_s: float | None = None
        """Since when the panic waits to be confirmed, monotonic."""
        self._is_question_seen = False
        """Whether the question is on the screen: keys pressed before are no answer."""
        self._size: tuple[int, int] | None = None
        self._is_gone = False
        """Whether the terminal no longer accepts output."""
        self._failure = ""

    def show(self) -> None:
        """Show the run, and return once it is ending."""
        with self._keyboard, self._whole_screen():
            due_s = 0.0
            while not self._run.is_over():
                if time.monotonic() >= due_s or self._is_resized():
                    self._draw_safely()
                    due_s = time.monotonic() + _DRAW_EVERY_S
                for key in self._keyboard.read(_POLL_S):
                    self._press(key)
                    due_s = 0.0

    # Keys.

    def _press(self, key: str) -> None:
        if self._asked_s is not None:
            is_in_time = time.monotonic() - self._asked_s <= _CONFIRM_S
            is_meant = key == "y" and is_in_time and self._is_question_seen
            self._asked_s = None
            if is_meant:
                self._command(Command(name=CommandName.PANIC))
            else:
                self._say("no panic: nothing was done")
        elif key == "q":
            self._say("shuts down; positions stay under their stops")
            self._run.stop()
        elif key == "p":
            self._command(Command(name=CommandName.PAUSE, argument=ALL))
        elif key == "!":
            self._asked_s, self._is_question_seen = time.monotonic(), False
        elif key == TAB:
            self._panel = self._panel.following
        elif key == "?":
            self._panel = Panel.ASSETS if self._panel is Panel.HELP else Panel.HELP

    def _command(self, command: Command) -> None:
        self._say(f"{command} ...")
        # It may take seconds, during which the view must go on, and a panic must not wait for it.
        threading.Thread(target=self._do, args=[command], name="key", daemon=True).start()

    def _do(self, command: Command) -> None:
        try:
            reply = self._run.answer(command)
        except TradingError as error:
            self._say(f"{command}: not done: {error}")
        else:
            text = " ".join(reply.text.split())
            self._say(f"{command}: {text.removeprefix(f'{command}: ')}")

    def _say(self, note: str) -> None:
        self._note, self._noted_s = note, time.monotonic()

    # The screen.

    def _draw_safely(self) -> None:
        if self._is_gone or (self._keyboard.is_there and not self._keyboard.is_in_front()):
            return
        try:
            self._draw()
            self._failure = ""
        except OSError:
            self._is_gone = True
            logger.warning("the terminal accepts no output any more; trading continues without it")
        except Exception as error:  # noqa: BLE001 (a picture that cannot be drawn must not end a run)
            self._show_failure(f"{type(error).__name__}: {error}")

    def _draw(self) -> None:
        scene = self._run.scene(self._panel)
        now_s = time.monotonic()
        if self._asked_s is not None and now_s - self._asked_s > _CONFIRM_S:
            self._asked_s = None
        note = _ASK if self._asked_s is not None else self._note
        if note is self._note and now_s - self._noted_s > _NOTE_S:
            note = ""
        self._paint(Picture(replace(scene, note=note, has_keys=self._keyboard.is_there)))
        self._is_question_seen = note is _ASK

    def _paint(self, picture: Picture) -> None:
        screen = self._screen
        with screen:  # written all at once
            screen.control(Control.home())
            screen.print(picture, end="")
        self._size = (screen.width, screen.height)

    def _is_resized(self) -> bool:
        return self._size is not None and self._size != (self._screen.width, self._screen.height)

    def _show_failure(self, failure: str) -> None:
        if failure != self._failure:
            logger.exception("the screen cannot be drawn; trading continues: {}", failure)
        self._failure = failure
        with suppress(OSError):
            self._screen.control(Control.home(), Control.clear())
            self._screen.print(safe(f"The screen cannot be drawn: {failure}. Trading continues."))

    @contextmanager
    def _whole_screen(self) -> Iterator[None]:
        """Use the whole terminal, and restore it afterwards."""
        screen = self._screen
        is_alone = not self._keyboard.is_there or self._keyboard.is_in_front()
        if is_alone:
            screen.set_alt_screen(True)
            screen.show_cursor(False)
            self._write(_TAKE)
        try:
            yield
        finally:
            if is_alone:
                with suppress(OSError):
                    self._write(_GIVE_BACK)
                    screen.show_cursor(True)
                    screen.set_alt_screen(False)

    def _write(self, codes: str) -> None:
        self._screen.file.write(codes)
        self._screen.file.flush()
