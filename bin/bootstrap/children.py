"""The actors of a run; their calls to the ports are recorded in the trace."""

from dataclasses import replace

from actors.children import Parts, specs_of
from actors.core.calls import noted
from actors.core.supervisor import ChildSpec
from infra.trace.recording import OPENS, PORTS


def child_specs(parts: Parts) -> list[ChildSpec]:
    """Return all actors in the order of their start."""
    return [_noting(spec) for spec in specs_of(parts)]


def _noting(spec: ChildSpec) -> ChildSpec:
    """Return a spec whose ports record the actor's calls."""
    ports = {
        name: noted(port, name, OPENS.get(name))
        for name, port in spec.arguments.items()
        if name in PORTS
    }
    return replace(spec, arguments={**spec.arguments, **ports})
