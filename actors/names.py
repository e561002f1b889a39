"""The addresses of the trading system."""

PORTFOLIO = "portfolio"
NOTIFIER = "notifier"
ACCOUNT = "account"


def asset_name(asset: str) -> str:
    """Return the address of an asset's actor."""
    return f"asset/{asset}"


def execution_name(asset: str) -> str:
    """Return the address of an asset's execution."""
    return f"execution/{asset}"


def asset_of(address: str) -> str | None:
    """Return the asset that an address belongs to; None for the portfolio and others."""
    _, slash, asset = address.partition("/")
    return asset if slash else None
