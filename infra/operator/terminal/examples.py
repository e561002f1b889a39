"""One example of each command, shown at the end of its help."""

from collections.abc import Mapping

EXAMPLES: Mapping[str, str] = {
    "backtest": "bin/backtest --candles DIR --report OUT.html",
    "candles": "bin/candles verify DIR",
    "candles download": "bin/candles download --symbols BTCUSDT --from 2025-01-01 DIR",
    "candles verify": "bin/candles verify DIR",
    "candles instruments": "bin/candles instruments --symbols NEARUSDT --settings my.yaml",
    "chaos": "bin/chaos --runs 40 --report OUT.html",
    "check": "bin/check --mode live --settings my.yaml",
    "completion": "bin/completion bash >>~/.bashrc",
    "ctl": "bin/ctl status",
    "ctl audit": "bin/ctl audit --since 2025-05-01 --asset BTC",
    "ctl status": "bin/ctl status --mode live",
    "ctl positions": "bin/ctl positions --json",
    "ctl balance": "bin/ctl balance",
    "ctl regimes": "bin/ctl regimes",
    "ctl cooldowns": "bin/ctl cooldowns",
    "ctl trades": "bin/ctl trades 50",
    "ctl daily": "bin/ctl daily",
    "ctl weekly": "bin/ctl weekly",
    "ctl performance": "bin/ctl performance 30d",
    "ctl portfolio": "bin/ctl portfolio pairs",
    "ctl risk": "bin/ctl risk",
    "ctl health": "bin/ctl health",
    "ctl actors": "bin/ctl actors",
    "ctl why": "bin/ctl why BTC",
    "ctl pairs": "bin/ctl pairs add AVAXUSDT --like SOLUSDT",
    "ctl pause": "bin/ctl pause all",
    "ctl resume": "bin/ctl resume all",
    "ctl close": "bin/ctl close ETH",
    "ctl reduce": "bin/ctl reduce ETH 0.25",
    "ctl liquidate": "bin/ctl liquidate ETH",
    "ctl restart": "bin/ctl restart asset/BTC",
    "ctl panic": "bin/ctl panic --yes",
    "ctl rearm": "bin/ctl rearm",
    "ctl reload": "bin/ctl reload",
    "ctl log": "bin/ctl log DEBUG",
    "ctl version": "bin/ctl version",
    "ctl help": "bin/ctl help close",
    "parity": "bin/parity --mode live --day 2025-05-01",
    "run-actors": "bin/run-actors --settings examples/multi_pair.yaml",
    "setup": "bin/setup --settings my.yaml",
    "sim-exchange": "bin/sim-exchange --speed 60 --profile outage",
    "trace": "bin/trace --run-dir var/live orders",
    "trace orders": "bin/trace orders",
    "trace tail": "bin/trace tail -f --asset ETH",
    "trace why": "bin/trace why close/BTC@2025-05-01T10:05",
    "trace tree": "bin/trace tree 1.2345",
    "trace export": "bin/trace export --perfetto OUT.json",
    "trace stats": "bin/trace stats",
    "trace slow": "bin/trace slow -n 20",
    "trace crashes": "bin/trace crashes",
    "trace crash": "bin/trace crash 1.2345",
    "trace replay": "bin/trace replay asset/ETH --pdb",
    "trace diff": "bin/trace diff var/sim OTHER",
}
"""By the command's words, without bin/."""


def example_of(*words: str) -> str | None:
    """Return the line that a command's help ends with; None for a command without an example."""
    found = EXAMPLES.get(" ".join(words))
    return None if found is None else f"Example: {found}"
