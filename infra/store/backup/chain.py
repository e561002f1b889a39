"""Chains of segments: each begins with all facts so far and continues with newer ones.

A chain is a folder of its own: `00000001.segment` and so on, and `end.json`, which is written after
each segment and names the newest one. A chain without it was never finished and does not count.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import msgspec

from domain.errors import BadDataError
from domain.text import plain
from infra.store.backup.places import BackupPlace
from infra.store.backup.segment import FIRST_PREVIOUS, Header, Rows, WrongKeyError, digest, unseal

END = "end.json"
_SEGMENT = ".segment"


class End(msgspec.Struct, frozen=True, kw_only=True):
    """How far a chain reaches."""

    number: int
    """Number of its newest segment."""
    digest: str
    through_fact: int
    recorded_ms: int
    """When that fact was stored."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chain:
    """The files of one chain."""

    name: str
    """Begins with the time of its first segment, so sorting by name sorts chains by age."""
    numbers: Sequence[int]
    has_end: bool

    @property
    def files(self) -> list[str]:
        """Return the names of all its files, its end first: without that it is no chain."""
        end = [f"{self.name}/{END}"] if self.has_end else []
        return [*end, *(segment_name(self.name, number) for number in self.numbers)]


def segment_name(chain: str, number: int) -> str:
    """Return the name of a segment's file."""
    return f"{chain}/{number:08d}{_SEGMENT}"


def find_chains(place: BackupPlace) -> list[Chain]:
    """Return all chains, oldest first.

    Raises:
        JournalError: the place cannot be reached.
    """
    numbers: dict[str, list[int]] = defaultdict(list)
    ended = set()
    for name in place.names():
        chain, file = name.split("/")
        if file == END:
            ended.add(chain)
        elif file.endswith(_SEGMENT) and file.removesuffix(_SEGMENT).isdigit():
            numbers[chain].append(int(file.removesuffix(_SEGMENT)))
    return [
        Chain(name=name, numbers=sorted(numbers[name]), has_end=name in ended)
        for name in sorted({*numbers, *ended})
    ]


def read_end(place: BackupPlace, chain: Chain) -> End:
    """Return how far a chain reaches.

    Raises:
        BadDataError: it is unfinished, or its end cannot be read.
        JournalError: the place cannot be reached.
    """
    if not chain.has_end:
        raise BadDataError(f"{plain(chain.name)}: is unfinished, {END} is missing")
    (data,) = place.read([f"{chain.name}/{END}"])
    try:
        return msgspec.json.decode(data, type=End)
    except (ValueError, msgspec.ValidationError) as error:
        raise BadDataError(f"{plain(chain.name)}: {END} is damaged") from error


@dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """A chain as it is listed for the operator."""

    name: str
    segments: int
    end: End | None
    """None: it is unfinished, or its end cannot be read."""


def list_chains(place: BackupPlace) -> Iterator[Listed]:
    """Yield all chains, oldest first.

    Raises:
        JournalError: the place cannot be reached.
    """
    for chain in find_chains(place):
        try:
            end = read_end(place, chain)
        except BadDataError:
            end = None
        yield Listed(name=chain.name, segments=len(chain.numbers), end=end)


def segments(place: BackupPlace, chain: Chain, key: bytes) -> Iterator[tuple[Header, Rows]]:
    """Yield the segments of a chain, each verified to follow the one before.

    Raises:
        BadDataError: one does not; those before it were yielded.
        JournalError: the place cannot be reached.
    """
    for found in _walk(place, chain, key):
        if isinstance(found, str):
            raise BadDataError(found)
        yield found


def problems(place: BackupPlace, chain: Chain, key: bytes) -> list[str]:
    """Return what is wrong with a chain, one line per problem.

    Raises:
        JournalError: the place cannot be reached.
    """
    try:
        return [each for each in _walk(place, chain, key) if isinstance(each, str)]
    except WrongKeyError as error:
        return [str(error)]  # it would be the same for all the others


def _walk(place: BackupPlace, chain: Chain, key: bytes) -> Iterator[tuple[Header, Rows] | str]:
    """Yield each segment, or a line that says what is wrong with it.

    Raises:
        WrongKeyError: it is sealed with another key.
    """
    name = plain(chain.name)
    previous: str | None = FIRST_PREVIOUS
    """Expected predecessor hash of the next segment; None: unknown."""
    expected, newest = 1, ""
    files = place.read(segment_name(chain.name, number) for number in chain.numbers)
    for number, file in zip(chain.numbers, files, strict=True):
        if number != expected:
            yield f"{name}: {_missing(expected, number - 1)}"
            previous = None
        found = _judge(file, key, chain.name, number, previous)
        is_sound = not isinstance(found, str)
        yield found if not isinstance(found, str) else f"{name}, segment {number}: {found}"
        newest = digest(file)
        previous, expected = newest if is_sound else None, number + 1
    yield from _wrong_at_end(place, chain, expected - 1, previous)


def _judge(
    file: bytes, key: bytes, chain: str, number: int, previous: str | None
) -> tuple[Header, Rows] | str:
    try:
        header, rows = unseal(file, key)
    except BadDataError as error:
        if isinstance(error, WrongKeyError):
            raise WrongKeyError(f"{plain(chain)}, segment {number}: {error}") from error
        return str(error)
    if (header.chain, header.number) != (chain, number):
        return f"segment {header.number} of {plain(header.chain)} is in its place"
    if previous not in (None, header.previous):
        return f"does not follow segment {number - 1}: that one was replaced"
    return header, rows


def _wrong_at_end(place: BackupPlace, chain: Chain, last: int, newest: str | None) -> Iterator[str]:
    """Yield what is wrong with the end of a chain.

    Args:
        place: of the chain.
        chain: to check.
        last: number of its last segment.
        newest: its hash; None: it is known to be wrong.
    """
    try:
        end = read_end(place, chain)
    except BadDataError as error:
        yield str(error)
        return
    name = plain(chain.name)
    if end.number > last:
        yield f"{name}: {_missing(last + 1, end.number)}"
    elif end.number == last and newest not in (None, end.digest):
        yield f"{name}, segment {last}: is not the one that {END} names"


def _missing(first: int, last: int) -> str:
    if first == last:
        return f"segment {first} is missing"
    return f"segments {first} to {last} are missing"
