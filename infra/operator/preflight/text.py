"""Findings as lines of text."""

from rich.text import Text

from infra.operator.preflight.finding import Finding, Level

_STYLES = {Level.OK: "green", Level.WARN: "yellow", Level.FAIL: "bold red"}


def finding_line(finding: Finding) -> Text:
    """Return what was found, what was expected, and what to do about it."""
    parts = [finding.found]
    if finding.expected and finding.found != finding.expected:
        parts.append(f"expected {finding.expected}")
    if finding.advice:
        parts.append(finding.advice)
    line = Text(f"{finding.level:<5}", style=_STYLES[finding.level])
    return line.append(f"{finding.name:<24} {'; '.join(parts)}", style="default")
