"""The documentation's lines for other people's clients, pointed at an exchange of the tests."""

import re
from pathlib import Path

from tests.venues.simulator.clients import Client

PAGE = Path(__file__).resolve().parents[2] / "docs/simulated-exchange.md"


def documented(language: str, word: str, client: Client) -> str:
    """Return the page's one block of a language that has a word in it, with nothing but the port
    changed; the exchange must know the keys that the page names.
    """
    blocks = re.findall(rf"```{language}\n(.*?)```", PAGE.read_text(), re.DOTALL)
    (found,) = [block for block in blocks if word in block]
    return found.replace("127.0.0.1:8899", f"127.0.0.1:{client.sim.port}")
