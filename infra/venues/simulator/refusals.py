"""The exchange's refusals; codes and texts as observed from the real one."""

from decimal import Decimal

_PRICE_SCALE = 1_000_000
_QTY_SCALE = 100_000_000


class RefusedError(Exception):
    """A request is refused with a retCode; it changed nothing."""

    def __init__(self, code: int, text: str, result: object = None) -> None:
        """Refuse with a code, a text, and the contents of `result`."""
        super().__init__(f"{code} {text}")
        self.code = code
        self.text = text
        self.result = {} if result is None else result


def invalid(name: str) -> RefusedError:
    """Refuse a parameter."""
    return RefusedError(10001, f"params error: {name} invalid")


def wrong(text: str) -> RefusedError:
    """Refuse the parameters as a whole."""
    return RefusedError(10001, text)


def not_simulated(name: str) -> RefusedError:
    """Refuse a documented parameter that has no effect here."""
    return RefusedError(10001, f"params error: {name} is not simulated")


def wrong_position_idx() -> RefusedError:
    """Refuse a positionIdx of the other position mode."""
    return wrong("position idx not match position mode")


def below_minimum_qty() -> RefusedError:
    """Refuse a qty that is too small."""
    return wrong("The number of contracts exceeds minimum limit allowed")


def above_maximum_qty(qty: Decimal, limit: Decimal) -> RefusedError:
    """Refuse a qty that is too large."""
    found, allowed = int(qty * _QTY_SCALE), int(limit * _QTY_SCALE)
    return wrong(
        "The number of contracts exceeds maximum limit allowed: "
        f"too large, order_qty:{found} > max_qty:{allowed}"
    )


def off_step() -> RefusedError:
    """Refuse a qty that is not a multiple of the step."""
    return wrong("Qty invalid")


def below_minimum_notional(limit: Decimal) -> RefusedError:
    """Refuse an order whose value is too small."""
    return RefusedError(110094, f"Order does not meet minimum order value {limit}USDT")


def not_enough_balance() -> RefusedError:
    """Refuse an order that the account cannot cover."""
    return RefusedError(110007, "ab not enough for new order")


def nothing_to_reduce() -> RefusedError:
    """Refuse a reduce-only order without a position against it."""
    return RefusedError(110017, "current position is zero, cannot fix reduce-only order qty")


def duplicate_link_id() -> RefusedError:
    """Refuse an orderLinkId that was used before."""
    return RefusedError(110072, "OrderLinkedID is duplicate")


def not_live() -> RefusedError:
    """Refuse to open in a symbol that is no longer listed."""
    return RefusedError(110074, "This contract is not live")


def no_such_order() -> RefusedError:
    """Refuse to change an order that is not open."""
    return RefusedError(110001, "order not exists or too late to cancel")


def price_out_of_band() -> RefusedError:
    """Refuse a limit price far beyond the mark price."""
    return RefusedError(110003, "Order price is out of permissible range")


def below_filled_qty() -> RefusedError:
    """Refuse to make an order smaller than its filled quantity."""
    return RefusedError(
        110064,
        "The modified contract quantity cannot be less than or equal to the filled quantity.",
    )


def trigger_already_passed(trigger: Decimal, current: Decimal, *, rising: bool) -> RefusedError:
    """Refuse a trigger price on the wrong side of the current price."""
    prices = f"trigger_price[{int(trigger * 10_000)}]", f"current[{int(current * 10_000)}]"
    if rising:
        return RefusedError(110092, f"expect Rising, but {prices[0]} <= {prices[1]}??LastPrice")
    return RefusedError(110093, f"expect Falling, but {prices[0]} >= {prices[1]}??LastPrice")


def stop_on_wrong_side(
    name: str, level: Decimal, side: str, base: Decimal, *, higher: bool
) -> RefusedError:
    """Refuse a stop loss or take profit on the wrong side of the price."""
    words = "should be higher than" if higher else "should be lower than"
    return wrong(
        f"{name}:{int(level * _PRICE_SCALE)} set for {side} position {words} "
        f"base_price:{int(base * _PRICE_SCALE)}??LastPrice"
    )


def stop_not_modified() -> RefusedError:
    """Refuse a trading-stop that changes nothing."""
    return RefusedError(34040, "not modified")


def leverage_not_modified() -> RefusedError:
    """Refuse a set-leverage that changes nothing."""
    return RefusedError(110043, "leverage not modified")


def not_for_unified() -> RefusedError:
    """Refuse a request that unified accounts may not make."""
    return RefusedError(100028, "The API cannot be accessed by unified account users.")


def position_mode_not_modified() -> RefusedError:
    """Refuse a switch-mode that changes nothing."""
    return RefusedError(110025, "Position mode is not modified")
