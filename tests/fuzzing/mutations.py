"""What may arrive in the place of a message, a body, a line or a file."""

import json
from copy import deepcopy
from decimal import Decimal, DecimalException
from typing import Any

import orjson
from hypothesis import strategies as st

TEXTS = [
    *("", " ", "0", "-1", "1", "0.0", "NaN", "sNaN", "Infinity", "-Infinity", "1e999", "1e-999"),
    *("9" * 300, "1" + "0" * 5000, "x", "1_0", " 5 ", "0x1", "\u0663", "\ud800", "\x00", "null"),
    *("a" * 600, "2026-01-01", "true", "Buy", "Sell", "BTCUSDT", "Filled", "Trade"),
]
NUMBERS = [
    *(-1, 0, 1, 2, -(2**63), 2**63, 2**64, 10**18, 10**400, 1.5, 0.1, 1e-300, 1e300, -0.0),
    *(float("nan"), float("inf"), float("-inf")),
]
NESTS = [None, True, False, [], {}, [[]], [{}], [None], {"list": 1}, {"": {}}, ["x", ["y"]]]
ODD = st.sampled_from([*TEXTS, *NUMBERS, *NESTS]).map(deepcopy)


def places(node: Any, path: tuple[Any, ...] = ()):
    """Yield the path to each part of parsed JSON."""
    yield path
    if isinstance(node, dict | list):
        for key, value in node.items() if isinstance(node, dict) else enumerate(node):
            yield from places(value, (*path, key))


def retyped(value: Any) -> Any:
    """Return a value as another type would write it."""
    match value:
        case bool() | None:
            return str(value)
        case str():
            return [value] if not value.isdigit() else int(value[:300])
        case int() | float():
            return str(value)
        case list():
            return {str(place): item for place, item in enumerate(value)}
        case _:
            return [[key, item] for key, item in value.items()]


@st.composite
def mutated(draw, raw: Any, most: int = 3) -> Any:
    """Return a copy of parsed JSON with up to so many parts dropped, retyped, doubled or odd."""
    result = deepcopy(raw)
    for _ in range(draw(st.integers(1, most))):
        path = draw(st.sampled_from([path for path in places(result) if path] or [()]))
        if not path:
            return draw(ODD)
        holder = result
        for key in path[:-1]:
            holder = holder[key]
        key = path[-1]
        match draw(st.sampled_from(["odd", "odd", "drop", "retype", "double", "add", "negate"])):
            case "odd":
                holder[key] = draw(ODD)
            case "drop":
                del holder[key]
            case "retype":
                holder[key] = retyped(holder[key])
            case "double" if isinstance(holder, list):
                holder.append(deepcopy(holder[key]))
            case "add" if isinstance(holder, dict):
                holder[draw(st.sampled_from(["aNewField", "", "data", "list"]))] = draw(ODD)
            case "negate" if isinstance(holder[key], str):
                holder[key] = f"-{holder[key]}"
    return result


def as_json(value: Any) -> bytes:
    """Return JSON as any peer may write it, NaN and lone surrogates included."""
    return json.dumps(value, ensure_ascii=False).encode(errors="surrogatepass")


def is_an_object(text: bytes) -> bool:
    """Tell whether bytes are a JSON object."""
    try:
        return isinstance(orjson.loads(text), dict)
    except ValueError:
        return False


def is_number(raw: object, value: Decimal | int) -> bool:
    """Tell whether a number was read from this, and is no other."""
    if isinstance(raw, bool) or not isinstance(raw, str | int | float):
        return False
    try:
        return Decimal(str(raw)) == value
    except DecimalException:
        return False


@st.composite
def damaged(draw, whole: bytes) -> bytes:
    """Return bytes that were cut, changed, repeated or mixed with others."""
    at = draw(st.integers(0, max(len(whole) - 1, 0)))
    to = draw(st.integers(at, len(whole)))
    other = draw(
        st.binary(min_size=1, max_size=4)
        | st.sampled_from([b"\xff\xfe", b"\xc3(", b"\x00", b"{" * 2000, b"[" * 100_000, b"\n"])
    )
    match draw(st.sampled_from(["cut", "change", "remove", "insert", "double", "other"])):
        case "cut":
            return whole[:at]
        case "change":
            return whole[:at] + other + whole[at + len(other) :]
        case "remove":
            return whole[:at] + whole[to:]
        case "insert":
            return whole[:at] + other + whole[at:]
        case "double":
            return whole + whole[at:to]
        case _:
            return other
