"""The data key of a run directory: who opens it, and who does not."""

import os
import pty
import subprocess
import sys
from pathlib import Path

import pytest

from domain.errors import ConfigError
from infra.secrets.sources import KeyMissingError, key_of, write_new_key
from infra.secrets.vault import FILE, new_vault, read_vault, vault_of

ROOT = Path(__file__).resolve().parents[2]


def key_file(folder: Path, name: str = "key") -> str:
    write_new_key(folder / name)
    return f"file:{folder / name}"


def test_any_one_of_its_keys_opens_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    sources = [key_file(tmp_path), "credential:other"]
    write_new_key(tmp_path / "other")
    made = new_vault(tmp_path, sources)
    made.write()

    (tmp_path / "key").unlink()
    opened = vault_of(tmp_path)

    assert opened is not None
    assert opened.key("journal") == made.key("journal") != made.key("trace")


def test_without_any_of_its_keys_one_line_says_what_each_lacks(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    new_vault(tmp_path, [key_file(tmp_path), key_file(tmp_path, "two")]).write()
    (tmp_path / "key").unlink()
    (tmp_path / "two").unlink()
    write_new_key(tmp_path / "two")

    with pytest.raises(ConfigError) as refused:
        vault_of(tmp_path)

    line = str(refused.value)
    assert "\n" not in line
    assert f"{tmp_path / FILE}: cannot be opened" in line
    assert f"{tmp_path / 'key'}: cannot be read" in line
    assert f"file:{tmp_path / 'two'}: holds another key" in line


def test_a_key_file_that_others_may_read_is_refused(tmp_path: Path) -> None:
    source = key_file(tmp_path)
    (tmp_path / "key").chmod(0o640)

    with pytest.raises(KeyMissingError, match="others may read this key"):
        key_of(source)


def test_a_new_key_overwrites_none(tmp_path: Path) -> None:
    source = key_file(tmp_path)
    before = key_of(source)

    with pytest.raises(ConfigError, match="no key was made there"):
        write_new_key(tmp_path / "key")

    assert key_of(source) == before
    assert (tmp_path / "key").stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("source", ["", "key", "env:KEY", "file:", "keyring:"])
def test_what_is_no_source_is_refused(source: str) -> None:
    with pytest.raises(ConfigError, match="expected a source of a key"):
        key_of(source)


def test_what_is_no_key_of_64_digits_is_refused(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("secret\n")
    (tmp_path / "key").chmod(0o600)

    with pytest.raises(KeyMissingError, match="64 hexadecimal digits") as refused:
        key_of(f"file:{tmp_path / 'key'}")

    assert "secret" not in str(refused.value)


def test_a_passphrase_alone_is_refused_for_no_restart_types_it(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="another source of a key besides the passphrase"):
        new_vault(tmp_path, ["passphrase"])


def test_a_renewed_vault_knows_the_former_key_until_it_is_finished(tmp_path: Path) -> None:
    source = key_file(tmp_path)
    old = new_vault(tmp_path, [source])

    new = old.renewed([source])
    new.write()

    assert new.former_key("journal") == old.key("journal") != new.key("journal")
    with pytest.raises(ConfigError, match="was interrupted"):
        vault_of(tmp_path)
    new.finished().write()
    finished = read_vault(tmp_path)
    assert finished is not None
    assert not finished.is_changing
    assert finished.key("journal") == new.key("journal")


def at_terminal(words: list[str], *typed: str) -> str:
    """Return what a command shows whose questions a terminal answers."""
    ours, theirs = pty.openpty()
    process = subprocess.Popen(
        [sys.executable, "-m", "bin.keys", *words],
        stdin=theirs,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        start_new_session=True,
    )
    assert process.stdout is not None
    shown, answers = b"", list(typed)
    while part := os.read(process.stdout.fileno(), 1_000):
        shown += part
        if shown.endswith(b": ") and answers:  # what is typed before a question is forgotten
            os.write(ours, f"{answers.pop(0)}\n".encode())
    process.wait(60)
    process.stdout.close()
    os.close(theirs)
    os.close(ours)
    return shown.decode()


def test_a_passphrase_opens_what_an_operator_has_no_key_file_for(tmp_path: Path) -> None:
    new_vault(tmp_path, [key_file(tmp_path)]).write()
    chosen = "correct horse battery"

    added = at_terminal(["allow", "passphrase", "--run-dir", str(tmp_path)], chosen, chosen)
    (tmp_path / "key").rename(tmp_path / "gone")
    write_new_key(tmp_path / "third")
    third = f"file:{tmp_path / 'third'}"
    wrong = at_terminal(["allow", third, "--run-dir", str(tmp_path)], "another passphrase")
    right = at_terminal(["allow", third, "--run-dir", str(tmp_path)], chosen)

    assert "passphrase opens it too" in added
    assert "passphrase: holds another key" in wrong
    assert f"{third} opens it too" in right


def test_the_systems_keyring_may_hold_the_key(tmp_path: Path) -> None:
    backend = tmp_path / "backend.py"
    backend.write_text(
        "from keyring.backend import KeyringBackend\n"
        "class Ours(KeyringBackend):\n"
        "    priority = 1\n"
        "    def get_password(self, service, user):\n"
        "        return 64 * 'a' if (service, user) == ('trading', 'live') else None\n"
        "    def set_password(self, service, user, password): ...\n"
        "    def delete_password(self, service, user): ...\n"
    )
    code = (
        "from infra.secrets.sources import key_of\n"
        "print(key_of('keyring:trading/live').hex())\n"
        "try: key_of('keyring:trading/other')\n"
        "except Exception as error: print(error)\n"
    )

    shown = subprocess.run(
        [sys.executable, "-c", code],
        env={
            **os.environ,
            "PYTHONPATH": f"{ROOT}:{tmp_path}",
            "PYTHON_KEYRING_BACKEND": "backend.Ours",
        },
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    ).stdout.splitlines()

    assert shown[0] == 64 * "a"
    assert "keyring:trading/other: holds no key" in shown[1]
