"""Container, Kubernetes and proxy files: their own tools find them right, and they fit the code."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from infra.settings import load_settings
from tests.operator.health.tools import DEPLOY, judged, tool

ROOT = DEPLOY.parent
PROGRAMS = Path(sys.executable).parent
COMPOSE = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))
SHUTDOWN_S = float(load_settings(None, environ={}, dotenv=None).supervision.shutdown_seconds)


def program(name: str) -> Path:
    """Return a tool that comes with the packages of the tests."""
    found = PROGRAMS / name
    assert found.exists(), f"{name} is pinned in requirements-dev.txt, and not installed"
    return found


def test_hadolint_finds_nothing_in_the_dockerfile() -> None:
    assert judged(program("hadolint"), ROOT / "Dockerfile") == ""


def test_the_image_has_no_root_no_secret_and_no_base_that_was_made_up() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    ignored = (ROOT / ".dockerignore").read_text(encoding="utf-8").splitlines()

    assert re.search(r"(?m)^ARG BASE$", lines)
    assert re.findall(r"(?m)^FROM (.*)$", lines) == ["${BASE}"]
    assert re.findall(r"(?m)^USER (.*)$", lines) == ["10001:10001"]
    assert {".env", ".env.*", "var", ".git"} <= set(ignored)


def test_compose_is_what_its_specification_allows() -> None:
    file = ROOT / "docker-compose.yml"

    judged(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", file)


def test_one_more_system_reads_no_keys_but_its_own() -> None:
    more = DEPLOY / "container" / "more.yml"
    service = yaml.safe_load(more.read_text(encoding="utf-8"))["services"]["trading-system"]

    judged(program("check-jsonschema"), "--builtin-schema", "vendor.compose-spec", more)
    # One list alone: those of several files are joined.
    assert "env_file" not in service
    assert service["environment"]["ENV_FILE"].startswith("${ENV_FILE:?")
    (read,) = COMPOSE["services"]["trading-system"]["env_file"]
    assert read["path"] == "${ENV_FILE:-.env}"


def test_compose_gives_a_stop_its_time_and_publishes_nothing_but_by_choice() -> None:
    services = COMPOSE["services"]

    assert (
        float(services["trading-system"]["stop_grace_period"].removesuffix("s")) > SHUTDOWN_S + 15
    )
    assert [name for name, one in services.items() if "ports" in one] == ["grafana", "nginx"]
    assert [name for name, one in services.items() if "profiles" not in one] == ["trading-system"]


def test_compose_has_the_services_and_profiles_of_the_documented_commands() -> None:
    services = COMPOSE["services"]
    by_profile: dict[str, list[str]] = {}
    for name in sorted(services):
        for profile in services[name].get("profiles", ()):
            by_profile.setdefault(profile, []).append(name)

    assert by_profile == {
        "logs": ["loki", "vector"],
        "monitoring": ["alertmanager", "grafana", "prometheus"],
        "nginx": ["nginx"],
        "postgres": ["postgres"],
        "redis": ["redis"],
        "workers": ["scheduler", "worker"],
    }
    for name in ("loki.yml", "vector.yml", "prometheus.yml", "alertmanager.yml"):
        text = (DEPLOY / "container" / name).read_text(encoding="utf-8")
        assert yaml.safe_load(text)
        called = set(re.findall(r"(?:http://|\[\")([a-z][a-z-]*):[0-9]+", text))
        assert called <= services.keys(), name


def test_compose_waits_for_the_journals_server_and_for_no_redis() -> None:
    waited = COMPOSE["services"]["trading-system"]["depends_on"]

    assert waited == {"postgres": {"condition": "service_healthy", "required": False}}


def test_every_file_that_compose_mounts_is_there() -> None:
    mounted = {
        volume.partition(":")[0]
        for service in COMPOSE["services"].values()
        for volume in service.get("volumes", ())
        if volume.startswith("./")
    }

    assert mounted
    assert [name for name in mounted if not (ROOT / name).exists()] == []


@pytest.mark.parametrize("name", ["container/settings.yaml", "kubernetes/base/settings.yaml"])
def test_the_settings_of_containers_are_accepted_and_answer_their_probes(name: str) -> None:
    control = load_settings(DEPLOY / name, environ={}, dotenv=None).control

    assert (control.host, control.port) == ("0.0.0.0", 8710)
    assert "localhost" in control.allowed_hosts


def test_the_start_of_a_container_is_sound_bash() -> None:
    judged("bash", "-n", DEPLOY / "container" / "start")


@pytest.mark.parametrize("name", ["container/prometheus.yml", "prometheus/prometheus.yml"])
def test_promtool_accepts_each_scrape_configuration(name: str) -> None:
    judged(tool("promtool", "prometheus"), "check", "config", "--syntax-only", DEPLOY / name)


def manifests() -> list[Path]:
    base = DEPLOY / "kubernetes" / "base"
    return [
        file
        for file in base.glob("*.yaml")
        if file.name not in ("kustomization.yaml", "settings.yaml")
    ]


@pytest.mark.parametrize("file", manifests(), ids=lambda file: file.name)
def test_kubernetes_accepts_each_manifest(file: Path) -> None:
    said = judged(program("kubernetes-validate"), "--strict", file)

    assert "WARN" not in said


@pytest.mark.parametrize("overlay", ["base", "monitoring"])
def test_kustomize_puts_the_manifests_together(overlay: str, tmp_path: Path) -> None:
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        listed = yaml.safe_load((DEPLOY / f"kubernetes/{overlay}/kustomization.yaml").read_text())
        folder = DEPLOY / "kubernetes" / overlay
        assert [name for name in listed["resources"] if not (folder / name).exists()] == []
        return
    done = subprocess.run(
        [kubectl, "kustomize", DEPLOY / "kubernetes" / overlay],
        capture_output=True,
        text=True,
        timeout=60,
        check=True,
    )
    (tmp_path / "all.yaml").write_text(done.stdout)

    judged(
        program("kubernetes-validate"), "--strict", "--quiet", "--no-warn", tmp_path / "all.yaml"
    )


def test_kubernetes_runs_one_pod_stops_it_in_time_and_finds_it_by_its_label() -> None:
    file = DEPLOY / "kubernetes" / "base" / "statefulset.yaml"
    spec = yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]
    pod = spec["template"]["spec"]

    assert spec["replicas"] == 1
    assert spec["template"]["metadata"]["labels"] == {"app": "multiasset-trading"}
    assert pod["terminationGracePeriodSeconds"] > SHUTDOWN_S + 15
    assert pod["containers"][0]["securityContext"]["readOnlyRootFilesystem"] is True


def test_the_template_differs_from_the_unit_in_its_instance_alone() -> None:
    unit, template = (
        (DEPLOY / "systemd" / name).read_text(encoding="utf-8").splitlines()
        for name in ("short-trading.service", "short-trading@.service")
    )
    differing = [line for line in template if line not in unit and not line.startswith("#")]

    assert [line.partition("=")[0] for line in differing] == [
        "Description",
        "EnvironmentFile",
        "ExecStart",
    ]
    assert all("%i" in line for line in differing)


def test_systemd_understands_the_template(tmp_path: Path) -> None:
    text = (DEPLOY / "systemd" / "short-trading@.service").read_text(encoding="utf-8")
    here = tmp_path / "short-trading@first.service"
    here.write_text(text.replace("/opt/short-trading/bin", str(ROOT / "bin")))

    said = judged(tool("systemd-analyze", "systemd"), "verify", "--man=no", here)

    assert "short-trading" not in said
