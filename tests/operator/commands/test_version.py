"""The version: one place, and the commit where the program runs from a clone."""

import subprocess
from pathlib import Path

from infra.process.version import VERSION, _commit, program_version


def git(folder: Path, *words: str) -> None:
    who = ["-c", "user.name=a", "-c", "user.email=a@b"]
    subprocess.run(["git", "-C", str(folder), *who, *words], check=True, capture_output=True)


def test_a_clone_tells_its_commit_and_whether_files_differ_from_it(tmp_path: Path) -> None:
    git(tmp_path, "init", "-q")
    (tmp_path / "file").write_text("1")
    git(tmp_path, "add", "file")
    git(tmp_path, "commit", "-qm", "One")
    commit = _commit(tmp_path)
    (tmp_path / "file").write_text("2")

    assert commit is not None
    assert len(commit) == 12
    assert _commit(tmp_path) == f"{commit}, changed"


def test_what_is_no_clone_has_its_version_alone(tmp_path: Path) -> None:
    assert _commit(tmp_path) is None
    assert program_version().startswith(VERSION)
