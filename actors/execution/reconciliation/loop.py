"""Rounds of queries to the exchange, until its true state is known.

A round books missed executions, settles open orders, and corrects the stops. Unanswered queries are
repeated; once all are answered, closes are retried and a panic continues.
"""

from actors.execution.agenda import NO_ANSWER, Agenda
from actors.execution.exits import Exits
from actors.execution.reconciliation.connectivity import VenueConnectivity
from actors.execution.reconciliation.flattening import Flattening
from actors.execution.reconciliation.reconciler import Reconciler
from domain.errors import AccessDeniedError, UnprovenError

MOST_DOUBLINGS = 3
"""Cap of the pause between attempts to reach a silent exchange, in a panic."""


class ReconcileLoop:
    """Sends one query after another, and ends the round."""

    def __init__(
        self,
        agenda: Agenda,
        reconciler: Reconciler,
        *,
        connectivity: VenueConnectivity,
        exits: Exits,
        flattening: Flattening,
    ) -> None:
        """Take over the queries of one asset."""
        self._agenda = agenda
        self._reconciler = reconciler
        self._connectivity = connectivity
        self._exits = exits
        self._flattening = flattening

    def finish(self) -> None:
        """Send all queries at once, when no message can come in between."""
        while self._agenda:
            self._put_next()

    def go_on(self) -> None:
        """Send the query that the current message stands for."""
        self._agenda.is_called = False
        self._put_next()

    def _put_next(self) -> None:
        """Send the next query; the round ends with the last one, or if nothing answers."""
        question = self._agenda.take()
        if question is None:
            return
        try:
            self._reconciler.put(question)
        except UnprovenError as error:
            self._agenda.put_off(str(error))
        except NO_ANSWER as error:
            self._on_silence(error)
            return
        if self._agenda:
            self._agenda.call_for_next()
        else:
            self._end_round()

    def _on_silence(self, error: Exception) -> None:
        self._agenda.drop(str(error))
        self._connectivity.on_silence(error)
        if isinstance(error, AccessDeniedError):
            self._agenda.slow_down()  # a denial may pass, and frequent queries can prolong it
        elif self._agenda.is_urgent:
            self._agenda.ask_again(min(self._connectivity.silences - 1, MOST_DOUBLINGS))

    def _end_round(self) -> None:
        self._connectivity.on_answer()
        is_whole, has_doubted = self._agenda.take_whole(), self._agenda.has_doubted
        if not self._agenda.end_round():
            if is_whole and not has_doubted:
                self._flattening.close()  # while updates keep coming, another round follows each
            return
        self._exits.retry()
        if is_whole and not self._agenda.has_doubted:
            self._flattening.go_on()
        if is_whole:
            self._agenda.rest()
