"""The set-up of bin/: what a fresh, a broken and a finished environment lead to.

Each test starts bin/run-actors in a small project of its own, with one small package to install.
"""

import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

BIN = Path(__file__).resolve().parents[1] / "bin"
NOBODY = 65534
TEST_REQUIREMENTS = (
    "requirements-backup.txt",
    "requirements-cluster.txt",
    "requirements-dev.txt",
    "requirements-docs.txt",
    "requirements-encryption.txt",
    "requirements-events.txt",
    "requirements-postgres.txt",
)
ANNOUNCEMENT = "run-actors: installing requirements.txt into .venv, once\n"

# Stands in for bin/run_actors.py: shows its package, directory, arguments and path.
PROGRAM = """
import os, sys, tiny
print(tiny.VERSION, os.getcwd(), sys.argv[1:], os.getcwd() in sys.path)
"""

# Hands out the package when pip asks for it, and first waits where the test says so.
BACKEND = """
import os, shutil

def build_wheel(directory, config_settings=None, metadata_directory=None):
    if "TEST_BUILDING" in os.environ:
        open(os.environ["TEST_BUILDING"], "w").close()
        open(os.environ["TEST_GO_ON"]).close()
    wheel = os.path.join(os.environ["PIP_FIND_LINKS"], "tiny-1-py3-none-any.whl")
    return os.path.basename(shutil.copy(wheel, directory))
"""


@dataclass(frozen=True, kw_only=True)
class Project:
    root: Path
    wheels: Path

    @property
    def requirements(self):
        return self.root / "requirements.txt"

    @property
    def venv(self):
        return self.root / ".venv"

    @property
    def command(self):
        return [str(self.root / "bin" / "run-actors")]

    def environment(self, **changes):
        """Return ours without what steers Python and pip; the package comes from a directory."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PIP_", "PYTHON"))}
        ours = {
            "PYTHON": sys.executable,
            "PIP_CONFIG_FILE": os.devnull,
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(self.wheels),
        }
        return {k: v for k, v in (kept | ours | changes).items() if v is not None}

    def start(self, *arguments, cwd=None, **changes):
        return self._run([*self.command, *arguments], cwd, changes)

    def test(self, *arguments):
        return self._run([str(self.root / "bin" / "test"), *arguments], None, {})

    def _run(self, words, cwd, changes):
        return subprocess.run(
            words,
            cwd=cwd or self.root,
            env=self.environment(**changes),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )

    def begin(self, **changes):
        """Start in a process group of its own, without waiting for the end."""
        return subprocess.Popen(
            self.command,
            cwd=self.root,
            env=self.environment(**changes),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )


def make_project(root):
    (root / "bin").mkdir(parents=True)
    for name in ("_setup.sh", "run-actors", "test"):
        shutil.copy(BIN / name, root / "bin" / name)
    (root / "bin" / "__init__.py").touch()
    (root / "bin" / "run_actors.py").write_text(PROGRAM)
    (root / "pytest.py").write_text(PROGRAM)
    for name in ("requirements.txt", *TEST_REQUIREMENTS):
        (root / name).write_text("tiny==1\n")


def make_wheel(wheels, version):
    wheels.mkdir(exist_ok=True)
    info = f"tiny-{version}.dist-info"
    metadata = f"Metadata-Version: 2.1\nName: tiny\nVersion: {version}\n"
    kind = "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
    with zipfile.ZipFile(wheels / f"tiny-{version}-py3-none-any.whl", "w") as wheel:
        wheel.writestr("tiny.py", f"VERSION = {version}")
        wheel.writestr(f"{info}/METADATA", metadata)
        wheel.writestr(f"{info}/WHEEL", kind)
        wheel.writestr(f"{info}/RECORD", "")


@pytest.fixture
def project(tmp_path):
    make_project(tmp_path / "a project")
    make_wheel(tmp_path / "wheels", 1)
    return Project(root=tmp_path / "a project", wheels=tmp_path / "wheels")


@pytest.fixture
def slow_package(project, tmp_path) -> Iterator[dict[str, str]]:
    """Make pip build the package, and stop there until the test goes on: two named pipes."""
    source = tmp_path / "tiny"
    source.mkdir()
    (source / "backend.py").write_text(BACKEND)
    (source / "pyproject.toml").write_text(
        '[project]\nname = "tiny"\nversion = "1"\n'
        '[build-system]\nrequires = []\nbuild-backend = "backend"\nbackend-path = ["."]\n'
    )
    project.requirements.write_text(f"tiny @ {source.as_uri()}\n")
    pipes = {"TEST_BUILDING": str(tmp_path / "building"), "TEST_GO_ON": str(tmp_path / "go_on")}
    for pipe in pipes.values():
        os.mkfifo(pipe)
    return pipes


def make_uv(wheels, script):
    """Make a wheel of the pinned uv, whose program is `script` in bash."""
    (version,) = re.findall(r"^uv=uv==(.+)$", (BIN / "_setup.sh").read_text(), re.MULTILINE)
    wheels.mkdir(exist_ok=True)
    info = f"uv-{version}.dist-info"
    with zipfile.ZipFile(wheels / f"uv-{version}-py3-none-any.whl", "w") as wheel:
        program = zipfile.ZipInfo(f"uv-{version}.data/scripts/uv")
        program.external_attr = 0o100755 << 16
        wheel.writestr(program, f"#!/bin/bash\n{script}\n")
        wheel.writestr(f"{info}/METADATA", f"Metadata-Version: 2.1\nName: uv\nVersion: {version}\n")
        wheel.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        wheel.writestr(f"{info}/RECORD", "")


def make_interpreter(directory, sitecustomize):
    """Return the bin directory of an interpreter that runs `sitecustomize` first, by all names."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", directory], check=True)
    (site_packages,) = directory.glob("lib/python3*/site-packages")
    (site_packages / "sitecustomize.py").write_text(f"import sys\n{sitecustomize}\n")
    for name in ("python3.11", "python3.12", "python3.13"):
        if not (directory / "bin" / name).exists():
            (directory / "bin" / name).symlink_to("python3")
    return directory / "bin"


def assert_one_line(done, *parts):
    assert done.returncode == 2
    assert done.stdout == ""
    line = done.stderr.removeprefix(ANNOUNCEMENT)
    assert line.startswith("run-actors: ")
    assert line.count("\n") == 1
    assert line.endswith("\n")
    for part in parts:
        assert part in line


def test_first_start_installs_and_leaves_directory_and_arguments_to_the_user(project, tmp_path):
    here = tmp_path / "elsewhere"
    (here / "bin").mkdir(parents=True)
    (here / "bin" / "run_actors.py").write_text("print('the wrong program')")
    (here / "tiny.py").write_text("VERSION = 'the wrong package'")

    done = project.start("./data.csv", "two words", cwd=here)

    assert done.stderr == ANNOUNCEMENT
    assert done.stdout == f"1 {here} ['./data.csv', 'two words'] False\n"
    assert done.returncode == 0


def test_tests_install_into_an_environment_of_their_own(project):
    (project.root / "requirements-dev.txt").write_text("tiny==2\n")
    (project.root / "requirements.txt").write_text("tiny\n")
    (project.root / "requirements-backup.txt").write_text("")
    (project.root / "requirements-cluster.txt").write_text("")
    (project.root / "requirements-docs.txt").write_text("")
    (project.root / "requirements-encryption.txt").write_text("")
    (project.root / "requirements-events.txt").write_text("")
    (project.root / "requirements-postgres.txt").write_text("")
    make_wheel(project.wheels, 2)
    project.venv.mkdir()
    (project.venv / "of a running system").touch()

    tested = project.test("-k", "NAME")
    again = project.test("tests")

    files = " ".join(("requirements.txt", *TEST_REQUIREMENTS))
    assert tested.stderr == f"test: installing {files} into .venv-dev, once\n"
    assert tested.stdout == f"2 {project.root} ['-k', 'NAME'] True\n"
    assert (again.returncode, again.stderr) == (0, "")
    assert [path.name for path in project.venv.iterdir()] == ["of a running system"]


def test_modules_are_compiled_whether_or_not_the_start_may_write_any(project):
    done = project.start(PYTHONDONTWRITEBYTECODE="1")

    assert (done.returncode, done.stdout[:2]) == (0, "1 ")
    assert list(project.venv.glob("lib/python3*/site-packages/__pycache__/tiny.*.pyc"))


def test_the_environment_has_a_pip_for_what_is_optional(project):
    project.start()
    make_wheel(project.wheels, 2)

    words = [project.venv / "bin" / "python", "-m", "pip", "install", "-q", "tiny==2"]
    done = subprocess.run(words, env=project.environment(), capture_output=True, check=False)

    assert (done.returncode, done.stderr) == (0, b"")
    assert project.start().stdout[:2] == "2 "


@pytest.mark.parametrize("option", ["--help", "-h"])
def test_the_help_of_tests_is_their_own_and_sets_nothing_up(project, option):
    done = project.test(option)

    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("Usage: bin/test [PYTEST ARGUMENTS]\n")
    assert max(map(len, done.stdout.splitlines())) <= 80
    assert not list(project.root.glob(".venv*"))


def test_second_start_installs_nothing_and_a_changed_pin_is_installed(project):
    project.start()
    (site_packages,) = project.venv.glob("lib/python3*/site-packages")
    (site_packages / "pip").rename(site_packages / "pip away")

    second = project.start()
    (site_packages / "pip away").rename(site_packages / "pip")
    make_wheel(project.wheels, 2)
    project.requirements.write_text("tiny==2\n")
    third = project.start()

    assert (second.returncode, second.stdout[:2], second.stderr) == (0, "1 ", "")
    assert (third.returncode, third.stdout[:2], third.stderr) == (0, "2 ", ANNOUNCEMENT)


def test_python_too_old_is_one_line_and_makes_no_venv(project, tmp_path):
    old = make_interpreter(tmp_path / "old", "sys.version_info = (3, 10, 13, 'final', 0)")

    by_path = project.start(PYTHON=None, PATH=f"{old}:{os.environ['PATH']}")
    by_name = project.start(PYTHON=str(old / "python3"))

    assert_one_line(by_path, "needs Python 3.11 or newer", "3.10", str(old))
    assert_one_line(by_name, "needs Python 3.11 or newer", "3.10", str(old))
    assert not project.venv.exists()


def test_python_that_does_not_run_is_passed_over_but_not_when_it_was_asked_for(project, tmp_path):
    broken = tmp_path / "broken"
    broken.mkdir()
    for name in ("python3.13", "python3.12", "python3.11"):
        (broken / name).write_text("#!/bin/sh\necho 'no such version' >&2\nexit 127\n")
        (broken / name).chmod(0o755)
    bare = make_interpreter(tmp_path / "bare", "sys.modules['ensurepip'] = None")
    (broken / "python3").write_text(f'#!/bin/sh\nexec {bare}/python3 "$@"\n')
    (broken / "python3").chmod(0o755)

    asked_for = project.start(PYTHON=str(broken / "python3.13"))
    passed_over = project.start(PYTHON=None, PATH=f"{broken}:{os.environ['PATH']}")

    assert_one_line(asked_for, f"PYTHON={broken / 'python3.13'} does not run")
    assert_one_line(passed_over, f"{bare}/python3 cannot make a virtual environment")


def test_python_without_ensurepip_is_one_line_that_names_the_package(project, tmp_path):
    bare = make_interpreter(tmp_path / "bare", "sys.modules['ensurepip'] = None")

    done = project.start(PYTHON=None, PATH=f"{bare}:{os.environ['PATH']}")

    assert_one_line(done, "apt-get install python3-venv")
    assert not project.venv.exists()


def test_unreachable_index_is_one_line_that_names_the_log_and_the_next_start_mends_it(project):
    nowhere = {"PIP_NO_INDEX": None, "PIP_INDEX_URL": "http://127.0.0.1:1", "PIP_RETRIES": "0"}

    failed = project.start(**nowhere, PIP_FIND_LINKS=None)
    repaired = project.start()

    assert_one_line(failed, "cannot reach the package index", str(project.venv / "pip.log"))
    assert (repaired.returncode, repaired.stdout[:2], repaired.stderr) == (0, "1 ", ANNOUNCEMENT)


def test_uv_installs_where_its_wheel_can_be_had_and_leaves_nothing_behind(project, tmp_path):
    into = '"$(dirname "$0")"/../../lib/python3*/site-packages'
    make_uv(project.wheels, f'echo "$@" >"{tmp_path}/words"; cd {into}; echo VERSION = 7 >tiny.py')

    done = project.start()

    assert (done.returncode, done.stdout[:2], done.stderr) == (0, "7 ", ANNOUNCEMENT)
    words = (tmp_path / "words").read_text()
    assert words.startswith("pip install ")
    assert f"--no-index --find-links {project.wheels} -r {project.requirements}" in words
    assert sorted(path.name for path in project.venv.glob(".*")) == [".installed", ".whole"]


def test_pip_installs_where_uv_fails(project):
    make_uv(project.wheels, "echo broken >&2; exit 2")

    done = project.start()

    assert (done.returncode, done.stdout[:2], done.stderr) == (0, "1 ", ANNOUNCEMENT)


def test_missing_package_is_not_blamed_on_the_network_and_spoils_nothing(project):
    project.start()
    project.requirements.write_text("tiny==1\nother==1\n")

    failed = project.start()
    project.requirements.write_text("tiny==1\n")
    (project.wheels / "tiny-1-py3-none-any.whl").unlink()
    without_network = project.start()

    assert_one_line(failed, "cannot install requirements.txt", "other==1")
    assert (without_network.returncode, without_network.stdout[:2]) == (0, "1 ")


def test_killed_install_is_repeated_in_a_new_venv(project, slow_package):
    killed = project.begin(**slow_package)
    with Path(slow_package["TEST_BUILDING"]).open():
        pass
    os.killpg(killed.pid, signal.SIGKILL)
    killed.communicate()
    (project.venv / "left over").touch()

    repeated = project.start()

    assert killed.returncode == -signal.SIGKILL
    # What was killed may hold the lock for a moment yet: then a line about waiting comes first.
    assert repeated.stderr.endswith(ANNOUNCEMENT)
    assert (repeated.returncode, repeated.stdout[:2]) == (0, "1 ")
    assert not (project.venv / "left over").exists()


def test_a_terminal_sees_that_the_install_goes_on_and_a_killed_start_leaves_no_lock(
    project, slow_package
):
    terminal, its_end = os.openpty()
    environment = project.environment(**slow_package)
    start = subprocess.Popen(
        project.command, cwd=project.root, env=environment, stderr=its_end, start_new_session=True
    )
    os.close(its_end)
    seen = b""
    while b"run-actors: 1 s ..." not in seen:
        seen += os.read(terminal, 1000)
    with Path(slow_package["TEST_BUILDING"]).open():
        pass

    start.kill()
    start.wait()
    with Path(slow_package["TEST_GO_ON"]).open("w"):  # pip outlives its start, and then ends
        pass
    repeated = project.start()

    assert (repeated.returncode, repeated.stdout[:2]) == (0, "1 ")
    os.close(terminal)


@pytest.mark.skipif(shutil.which("flock") is None, reason="two starts are parted by flock")
def test_start_during_an_install_waits_and_finds_it_done(project, slow_package):
    first = project.begin(**slow_package)
    with Path(slow_package["TEST_BUILDING"]).open():
        pass
    second = project.begin()
    waiting = second.stderr.readline()
    with Path(slow_package["TEST_GO_ON"]).open("w"):
        pass

    first_output, first_errors = first.communicate()
    second_output, second_errors = second.communicate()

    assert waiting == "run-actors: waiting for another start to finish its set-up\n"
    assert (first_output[:2], first_errors) == ("1 ", ANNOUNCEMENT)
    assert (second_output[:2], second_errors) == ("1 ", "")


def test_moved_project_is_set_up_anew(project, tmp_path):
    project.start()
    moved = Project(root=tmp_path / "moved", wheels=project.wheels)
    project.root.rename(moved.root)

    done = moved.start()

    assert (done.returncode, done.stdout[:2], done.stderr) == (0, "1 ", ANNOUNCEMENT)
    assert str(moved.root) in (moved.venv / "bin" / "activate").read_text()


def test_vanished_interpreter_is_replaced(project, tmp_path):
    first, second = tmp_path / "first", tmp_path / "second"
    for directory in (first, second):
        directory.mkdir()
        (directory / "python3.13").symlink_to(Path(sys.executable).resolve())
    path = f"{first}:{second}:{os.environ['PATH']}"
    project.start(PYTHON=None, PATH=path)
    (first / "python3.13").unlink()

    done = project.start(PYTHON=None, PATH=path)

    assert (done.returncode, done.stdout[:2], done.stderr) == (0, "1 ", ANNOUNCEMENT)


def test_directory_that_cannot_be_written_is_one_line():
    # Root writes anywhere, and pytest's directory is closed to others: so another user, elsewhere.
    with tempfile.TemporaryDirectory() as name:
        root = Path(name) / "project"
        make_project(root)
        Path(name).chmod(0o755)
        root.chmod(0o555)

        done = subprocess.run(
            [root / "bin" / "run-actors"],
            cwd="/",
            user=NOBODY if os.geteuid() == 0 else None,
            capture_output=True,
            text=True,
            check=False,
        )

        root.chmod(0o755)
    assert_one_line(done, "not writable", str(root))
