"""What replays, stepped and live runs have in common: addresses, supervisor, channels, trace."""

from dataclasses import dataclass, replace
from pathlib import Path
from random import Random

from actors.core.host import Host
from actors.core.supervisor import ChildStatus, RestartPolicy, Supervisor
from actors.core.system import ActorSystem, Probe
from actors.messages import SystemChanged
from actors.names import NOTIFIER
from actors.operator.meter import Meter
from actors.pace import REPLAY_PACE, USUAL_PACE, NoticePace, ReconcilePace
from actors.watch import LiveChecks
from actors.wording.system import RunInfo
from bin.bootstrap.run import Ports, Run
from domain.rules import TradingRules
from infra.operator.notices.channels import Channels
from infra.operator.notices.inbox import Inbox
from infra.settings import Settings
from infra.settings.secrets import hiding, secrets_of
from infra.settings.sections.running import SupervisionSettings
from infra.store.trace_ids import first_id, id_text
from infra.trace.recording import new_recorder
from infra.venues.modes import STEPPED

REPLAY = "replay"
_DRILL_BACKOFF_S = 0.001
_NO_LIMIT = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where a run takes place."""

    settings: Settings
    directory: Path
    """The run's own."""
    mode: str
    """Whose facts the journal holds."""
    account: str
    """Where orders go, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Present:
    """What only a run in the present has; its defaults are a replay's."""

    asking: ReconcilePace = REPLAY_PACE
    telling: NoticePace = USUAL_PACE
    checks: LiveChecks | None = None
    unknown: tuple[str, ...] = ()
    """Assets with a position at the exchange at the start of which the journal knew nothing."""
    facts_until_ms: int | None = None
    """When an earlier process stored the newest fact; None: no facts were stored."""


IN_THE_PAST = Present()


def assemble(
    place: Place,
    rules: TradingRules,
    ports: Ports,
    *,
    probe: Probe | None = None,
    is_lenient: bool = False,
    present: Present = IN_THE_PAST,
    host: Host | None = None,
) -> Run:
    """Return a run that is ready to start.

    Args:
        place: settings, directory and mode.
        rules: with the instruments of the venue.
        ports: the outer world.
        probe: injects failures into the actors.
        is_lenient: restart at once and without limit.
        present: what only a run in the present has.
        host: what it runs on; None: threads.
    """
    host = host or Host()
    supervision = place.settings.supervision
    recorder = new_recorder(place.directory, place.mode, place.settings)
    watch = recorder or host.watch
    meter = None if place.mode in (REPLAY, STEPPED) else Meter(watch)
    session = host.session if recorder is None else recorder.session.number
    system = ActorSystem(
        ports.clock.now_ms,
        probe,
        watch if meter is None else meter,
        first_id(session),
        id_text,
        hiding(secrets_of(place.settings)),
        host.concurrency,
    )
    policy = _lenient(supervision) if is_lenient else _policy(supervision)
    supervisor = Supervisor(system, policy, host.rng)
    info = RunInfo(mode=place.mode, account=place.account, started_ms=ports.clock.now_ms())
    channels, inbox = _channels(place, ports, system, supervisor, info)
    return Run(
        rules=rules,
        info=info,
        clock=ports.clock,
        system=system,
        supervisor=supervisor,
        ports=ports,
        recorder=recorder,
        channels=channels,
        inbox=inbox,
        asking=present.asking,
        telling=present.telling,
        checks=present.checks,
        unknown=present.unknown,
        facts_until_ms=present.facts_until_ms,
        meter=meter,
    )


def _channels(
    place: Place, ports: Ports, system: ActorSystem, supervisor: Supervisor, info: RunInfo
) -> tuple[Channels, Inbox]:
    """Return the channels for notifications and commands; none over recorded candles."""

    def tell(key: str, title: str, detail: str) -> None:
        message = SystemChanged(key=f"{key}/{info.started_ms}", title=title, detail=detail)
        system.address(NOTIFIER).tell(message, sender="runtime")

    def is_well() -> bool:
        running = all(c.status is ChildStatus.RUNNING for c in supervisor.children())
        return running and not system.given_up

    notifications, events = place.settings.notifications, None
    if place.mode in (REPLAY, STEPPED):
        notifications = notifications.without_channels()
    else:
        events = place.settings.events
    inbox = Inbox()
    channels = Channels(
        notifications,
        ports.journals,
        events=events,
        mode=place.mode,
        rng=Random(),  # noqa: S311 (jitter)
        is_well=is_well,
        on_system=tell,
        handle_command=inbox,
    )
    return channels, inbox


def _policy(settings: SupervisionSettings) -> RestartPolicy:
    return RestartPolicy(
        max_restarts=settings.max_restarts,
        within_s=float(settings.within_seconds),
        backoff_initial_s=float(settings.backoff_initial_seconds),
        backoff_max_s=float(settings.backoff_max_seconds),
        backoff_jitter_fraction=float(settings.backoff_jitter_fraction),
        hang_s=float(settings.hang_seconds),
        start_s=float(settings.start_seconds),
    )


def _lenient(settings: SupervisionSettings) -> RestartPolicy:
    """Return a policy under which no actor is given up because of a drill's crashes."""
    return replace(
        _policy(settings),
        max_restarts=_NO_LIMIT,
        backoff_initial_s=_DRILL_BACKOFF_S,
        backoff_max_s=_DRILL_BACKOFF_S,
    )
