"""The Dockerfile's own steps, done in a tree of Debian's packages, lead to a system that trades.

Stands in for a container engine: each instruction is done as an engine would, in a chroot.
"""

import fnmatch
import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from domain.errors import ConfigError, JournalError
from tests.chaos.harness.journal_view import read_journal
from tests.operator.health.tools import DEPLOY, judged, tool

pytestmark = [pytest.mark.complete, pytest.mark.timeout(2400)]

ROOT = DEPLOY.parent
PATIENCE_S = 300
PATH = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
PACKAGES = "python3,python3-venv,ca-certificates"
"""What an image of Python has beside the least Debian."""
WHEELS = "/wheels"
SETTINGS = """
simulation: {speed: 240}
strategy: {entry_max_age_ms: 120000, ema_short_period: 5, ema_long_period: 12, warmup_candles: 40,
           volatility_window: 20, cross_threshold: 200}
web: {port: 0}
"""


@dataclass
class Image:
    """A tree, and what the Dockerfile has said of it so far."""

    tree: Path
    workdir: str = "/"
    user: str = "0:0"
    volumes: list[str] = field(default_factory=list)
    entrypoint: list[str] = field(default_factory=list)
    healthcheck: list[str] = field(default_factory=list)
    environ: dict[str, str] = field(default_factory=lambda: {"PATH": PATH})

    def run(self, command: str) -> None:
        """Do a step of the build."""
        done = subprocess.run(
            [*self.inside("0:0", is_read_only=False), "/bin/sh", "-c", command],
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, f"{command}\n{done.stdout[-2000:]}{done.stderr[-2000:]}"

    def inside(self, user: str, *, is_read_only: bool, more: str = "") -> list[str]:
        """Return what a command is put behind, so that it runs in the tree."""
        environ = {**self.environ, "PIP_NO_INDEX": "1", "PIP_FIND_LINKS": WHEELS}
        script = f"""
            set -e
            mount --make-rprivate /
            mount --bind "$0" "$0"
            mount -t proc proc "$0/proc"
            {more}
            {'mount -o remount,bind,ro "$0"' if is_read_only else ""}
            exec chroot --userspec={user} "$0" /usr/bin/env -i {
            shlex.join(f"{name}={value}" for name, value in environ.items())
        } /bin/sh -c 'cd {self.workdir}; exec "$@"' sh "$@"
        """
        return ["unshare", "--mount", "--fork", "/bin/sh", "-c", script, str(self.tree)]

    def container(self, *command: str, volumes: Path) -> list[str]:
        """Return what runs a command as docker-compose.yml has it: as that user, read-only."""
        binds = [f'mount --bind {volumes / Path(one).name} "$0{one}"' for one in self.volumes]
        binds += ['mount -t tmpfs tmpfs "$0/tmp"']
        return [*self.inside(self.user, is_read_only=True, more="\n".join(binds)), *command]


def instructions() -> Iterator[tuple[str, str]]:
    text = re.sub(r"(?m)^#.*\n", "", (ROOT / "Dockerfile").read_text(encoding="utf-8"))
    for line in text.replace("\\\n", " ").splitlines():
        if line.strip():
            name, _, rest = line.partition(" ")
            yield name, " ".join(rest.split())


def context() -> list[Path]:
    """Return the files that an engine would be sent, relative to the project."""
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()
    patterns = [line for line in ignored if line and not line.startswith("#")]
    listed = subprocess.run(
        ["git", "-C", ROOT, "ls-files"], capture_output=True, text=True, check=True
    ).stdout.split("\n")
    return [
        Path(name)
        for name in listed
        if name and not any(fnmatch.fnmatch(name.partition("/")[0], one) for one in patterns)
    ]


def copy(image: Image, words: str) -> None:
    *sources, target = words.split()
    into = image.tree / image.workdir.lstrip("/") / target
    wanted = [Path(source) for source in sources]
    for file in context():
        if Path() in wanted:
            place = into / file
        elif file in wanted:
            place = into / file.name
        else:
            continue
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, place)


def do(image: Image, name: str, words: str) -> None:
    match name:
        case "ARG" | "FROM" | "STOPSIGNAL":
            pass
        case "WORKDIR":
            image.workdir = words
            (image.tree / words.lstrip("/")).mkdir(parents=True, exist_ok=True)
        case "COPY":
            copy(image, words)
        case "RUN":
            image.run(words)
        case "USER":
            image.user = words
        case "ENV":
            image.environ |= dict(word.split("=", 1) for word in shlex.split(words))
        case "VOLUME":
            image.volumes.append(words)
        case "HEALTHCHECK":
            image.healthcheck = json.loads(words.partition("CMD ")[2])
        case "ENTRYPOINT":
            image.entrypoint = json.loads(words)
        case _:
            raise AssertionError(name)


def mirror() -> tuple[str, str]:
    """Return the suite and the address of the Debian that this machine's packages come from."""
    form = "$(ORIGIN) $(CODENAME) $(SITE)"
    listed = judged("apt-get", "indextargets", "--format", form, "Created-By: Packages")
    _, suite, address = next(
        words for line in listed.splitlines() if (words := line.split())[0] == "Debian"
    )
    return suite, address


def base(folder: Path) -> Path:
    """Return a tree of Debian with Python."""
    suite, address = mirror()
    command = [tool("debootstrap", "debootstrap"), "--variant=minbase", f"--include={PACKAGES}"]
    log = folder / "debootstrap.log"
    with log.open("w") as file:
        done = subprocess.run(
            [*command, suite, folder / "tree", address], stdout=file, stderr=file, check=False
        )
    assert done.returncode == 0, log.read_text()[-2000:]
    return folder / "tree"


def download(tree: Path) -> None:
    """Fetch the packages of the requirements for the tree's own interpreter."""
    version = judged("chroot", tree, "python3", "-c", "import sys; print(*sys.version_info[:2])")
    copied = next(words for name, words in instructions() if name == "COPY")
    files = [ROOT / word for word in copied.split() if word.startswith("requirements")]
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pip", "download", "-q", "--only-binary", ":all:"),
            *("--python-version", ".".join(version.split()), "--no-deps"),
            *("-d", f"{tree}{WHEELS}", *pinned(files)),
        ],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]


def pinned(files: Iterable[Path]) -> list[str]:
    """Return all requirements, also those that this interpreter would not need."""
    lines = {line for file in files for line in file.read_text(encoding="utf-8").splitlines()}
    found = (line.partition("#")[0].partition(";")[0].strip() for line in lines)
    return sorted({line for line in found if line})


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    if os.geteuid() != 0:
        pytest.skip("a chroot is root's")
    built = Image(base(tmp_path_factory.mktemp("image")))
    download(built.tree)
    for name, words in instructions():
        do(built, name, words)
    return built


def test_the_system_trades_in_the_image_as_no_root_on_a_read_only_tree(
    image: Image, tmp_path: Path
) -> None:
    tmp_path.chmod(0o755)
    (run_volume,) = image.volumes
    volume = tmp_path / Path(run_volume).name
    volume.mkdir()
    os.chown(volume, *map(int, image.user.split(":")))
    (volume / "settings.yaml").write_text(SETTINGS)
    words = [*image.entrypoint, "--settings", f"{run_volume}/settings.yaml"]
    shown = tmp_path / "shown.txt"

    with shown.open("w") as out:
        process = subprocess.Popen(
            image.container(*words, volumes=tmp_path),
            stdout=out,
            stderr=out,
            start_new_session=True,
        )
    try:
        wait_for_a_trade(volume / "sim" / "journal.sqlite", process, shown)
        healthy = subprocess.run(
            image.container(*image.healthcheck, volumes=tmp_path), timeout=60, check=False
        )
        status = subprocess.run(
            image.container(*image.entrypoint, "ctl", "status", volumes=tmp_path),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (healthy.returncode, status.returncode) == (0, 0), status
        assert "Equity" in status.stdout
        os.killpg(process.pid, signal.SIGTERM)
        assert process.wait(60) == 0, shown.read_text()
    finally:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(60)
    assert "Traceback" not in shown.read_text()
    owners = {file.stat().st_uid for file in (volume / "sim").rglob("*")}
    assert owners == {int(image.user.partition(":")[0])}


def wait_for_a_trade(journal: Path, process: subprocess.Popen[bytes], shown: Path) -> None:
    for _ in range(PATIENCE_S * 4):
        assert process.poll() is None, shown.read_text()
        with suppress(ConfigError, JournalError):  # not made yet
            if read_journal(journal).trades:
                return
        with suppress(subprocess.TimeoutExpired):
            process.wait(0.25)
    raise AssertionError(shown.read_text())
