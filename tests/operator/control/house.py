"""The control interface over real HTTP, before a desk that does nothing."""

import http.client
import json
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from domain.operator.commands import Command
from domain.operator.replies import Reply, ReplyCode
from infra.operator.control.server import ControlServer
from infra.operator.control.token import own_token, read_address
from infra.settings import load_settings

PATIENCE_S = 30.0
PER_SECOND = 1000
JSON = {"Content-Type": "application/json"}
Answer = tuple[int, Any]


@dataclass
class Desk:
    """Does nothing, and remembers what it was asked."""

    asked: list[tuple[str, Command, bool]] = field(default_factory=list)
    noted: list[tuple[str, str, str]] = field(default_factory=list)
    code: ReplyCode = ReplyCode.DONE

    def answer(self, who: str, command: Command, is_confirmed: bool) -> Reply:
        self.asked.append((who, command, is_confirmed))
        return Reply(code=self.code, title=f"did {command}", data={"n": 1})

    def note(self, who: str, what: str, result: str) -> None:
        self.noted.append((who, what, result))


@dataclass
class House:
    commands: Desk
    server: ControlServer
    directory: Path

    def call(
        self,
        method: str,
        path: str,
        body: bytes | Iterable[bytes] | None = None,
        token: str | None = None,
        **headers: str,
    ) -> Answer:
        address = read_address(self.directory)
        assert address is not None
        line = http.client.HTTPConnection(address.host, address.port, timeout=PATIENCE_S)
        bearer = own_token(self.directory) if token is None else token
        try:
            line.request(
                method, path, body, {"Authorization": f"Bearer {bearer}", **JSON, **headers}
            )
            answer = line.getresponse()
            said = answer.read()
            is_json = answer.getheader("Content-Type") == JSON["Content-Type"]
            return answer.status, json.loads(said) if is_json else said.decode()
        finally:
            line.close()

    def post(self, name: str, **body: object) -> Answer:
        return self.call("POST", f"/{name}", json.dumps(body).encode())


def served(directory: Path, per_second: int, commands: Desk | None = None) -> House:
    shipped = load_settings(None, environ={}, dotenv=None).control
    hosts = (*shipped.allowed_hosts, "trading.example")
    control = shipped.model_copy(update={"requests_per_second": per_second, "allowed_hosts": hosts})
    commands = commands or Desk()
    house = House(
        commands, ControlServer(control, directory, commands.answer, commands.note), directory
    )
    while read_address(directory) is None:
        assert house.server._thread.is_alive()
        house.server._thread.join(0.01)
    return house
