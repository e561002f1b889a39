"""What systemd hears on its socket."""

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.process.systemd import ServiceManager


@pytest.fixture
def systemd(tmp_path: Path) -> Iterator[socket.socket]:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as made:
        made.bind(str(tmp_path / "notify"))
        made.settimeout(10)
        yield made


def environ(address: str, **more: str) -> dict[str, str]:
    return {"NOTIFY_SOCKET": address, "HOME": "/", **more}


def heard(systemd: socket.socket) -> str:
    return systemd.recv(1000).decode()


def is_silent(systemd: socket.socket) -> bool:
    systemd.setblocking(False)
    try:
        systemd.recv(1000)
    except BlockingIOError:
        return True
    return False


def test_systemd_hears_of_start_work_and_stop(systemd: socket.socket) -> None:
    service = ServiceManager(environ(systemd.getsockname(), WATCHDOG_USEC="90000000"))

    service.ready("trades")
    service.feed()
    service.stopping("stops")

    assert heard(systemd) == "READY=1\nSTATUS=trades"
    assert heard(systemd) == "WATCHDOG=1"
    assert heard(systemd) == "STOPPING=1\nSTATUS=stops"


def test_it_is_fed_often_enough_and_not_at_every_turn(systemd: socket.socket) -> None:
    service = ServiceManager(environ(systemd.getsockname(), WATCHDOG_USEC="90000000"))

    for _ in range(100):
        service.feed()

    assert heard(systemd) == "WATCHDOG=1"
    assert is_silent(systemd)


def test_it_is_fed_again_when_a_part_of_its_patience_is_over(systemd: socket.socket) -> None:
    service = ServiceManager(environ(systemd.getsockname(), WATCHDOG_USEC="4"))

    service.feed()
    service.feed()

    assert [heard(systemd), heard(systemd)] == ["WATCHDOG=1"] * 2


@pytest.mark.parametrize("more", [{}, {"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": "1"}])
def test_a_watchdog_that_is_not_meant_for_this_process_is_not_fed(
    systemd: socket.socket, more: dict[str, str]
) -> None:
    service = ServiceManager(environ(systemd.getsockname(), **more))

    service.feed()

    assert is_silent(systemd)


def test_a_watchdog_of_this_very_process_is_fed(systemd: socket.socket) -> None:
    mine = {"WATCHDOG_USEC": "90000000", "WATCHDOG_PID": str(os.getpid())}

    ServiceManager(environ(systemd.getsockname(), **mine)).feed()

    assert heard(systemd) == "WATCHDOG=1"


def test_an_abstract_address_is_understood() -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as systemd:
        systemd.bind(f"\0health-test-{os.getpid()}")
        systemd.settimeout(10)

        ServiceManager(environ(f"@health-test-{os.getpid()}")).ready("trades")

        assert heard(systemd).startswith("READY=1")


def test_children_do_not_inherit_the_line(systemd: socket.socket) -> None:
    here = environ(systemd.getsockname(), WATCHDOG_USEC="1", WATCHDOG_PID="1")

    ServiceManager(here)

    assert here == {"HOME": "/"}


@pytest.mark.parametrize("address", ["", "/nonexistent/notify"])
def test_without_systemd_nothing_happens(address: str) -> None:
    service = ServiceManager(environ(address, WATCHDOG_USEC="1") if address else {})

    service.ready("trades")
    service.feed()
    service.stopping("stops")

    assert service is not None


def test_a_systemd_that_does_not_read_keeps_nobody_waiting(systemd: socket.socket) -> None:
    service = ServiceManager(environ(systemd.getsockname()))

    for _ in range(10_000):
        service.ready("x" * 200)

    assert heard(systemd).startswith("READY=1")
