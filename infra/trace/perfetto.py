"""The part of Perfetto's trace format that messages between actors need.

Source: https://perfetto.dev/docs/reference/trace-packet-proto and the protobuf wire format.
"""

from collections.abc import Iterable

_VARINT, _FIXED64, _BYTES = 0, 1, 2
_BEGIN, _END = 1, 2
_SEQUENCE = 1
_CLEARED = 1
"""SEQ_INCREMENTAL_STATE_CLEARED: the sequence begins."""


def track(uuid: int, name: str) -> bytes:
    """Return the packet that describes a track."""
    described = _number(1, uuid) + _text(2, name)
    return _packet(_nested(60, described) + _number(13, _CLEARED))


def slice_begin(
    at_ns: int,
    uuid: int,
    name: str,
    notes: Iterable[tuple[str, str]],
    flows_out: Iterable[int],
    flow_in: int | None,
) -> bytes:
    """Return the packet that begins a slice.

    Args:
        at_ns: monotonic.
        uuid: of the track.
        name: of the slice.
        notes: shown beside it.
        flows_out: ids of the arrows that leave it.
        flow_in: id of the arrow that ends in it.
    """
    event = _number(9, _BEGIN) + _number(11, uuid) + _text(23, name)
    for key, value in notes:
        event += _nested(4, _text(10, key) + _text(6, value))
    for flow in flows_out:
        event += _fixed(47, flow)
    if flow_in is not None:
        event += _fixed(48, flow_in)
    return _packet(_number(8, at_ns) + _nested(11, event))


def slice_end(at_ns: int, uuid: int) -> bytes:
    """Return the packet that ends a track's slice."""
    return _packet(_number(8, at_ns) + _nested(11, _number(9, _END) + _number(11, uuid)))


def _packet(content: bytes) -> bytes:
    return _nested(1, content + _number(10, _SEQUENCE))


def _varint(value: int) -> bytes:
    out = bytearray()
    while value > 0x7F:  # noqa: PLR2004 (seven bits a byte)
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def _number(number: int, value: int) -> bytes:
    return _varint(number << 3 | _VARINT) + _varint(value)


def _fixed(number: int, value: int) -> bytes:
    return _varint(number << 3 | _FIXED64) + value.to_bytes(8, "little")


def _nested(number: int, content: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(content)) + content


def _text(number: int, text: str) -> bytes:
    return _nested(number, text.encode())
