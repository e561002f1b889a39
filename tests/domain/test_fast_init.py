import pickle
from copy import copy
from dataclasses import FrozenInstanceError, dataclass, field, fields, replace

import pytest

from domain.fast_init import fast_init


@fast_init
@dataclass(frozen=True, slots=True, kw_only=True)
class Fill:
    qty: int
    price: int
    fee: int = 0
    note: str | None = None


def test_a_value_holds_what_it_was_given_and_its_defaults():
    fill = Fill(price=2, qty=1)

    assert fill == Fill(qty=1, price=2, fee=0, note=None)
    assert repr(fill) == "Fill(qty=1, price=2, fee=0, note=None)"
    assert hash(fill) == hash(Fill(qty=1, price=2))
    assert type(fill) is Fill
    assert [each.name for each in fields(fill)] == ["qty", "price", "fee", "note"]


@pytest.mark.parametrize("name", ["qty", "fee", "other"])
def test_a_value_stays_frozen(name):
    fill = Fill(qty=1, price=2)

    with pytest.raises((FrozenInstanceError, TypeError)):
        setattr(fill, name, 3)

    assert fill == Fill(qty=1, price=2)


def test_a_value_can_be_replaced_copied_and_pickled():
    fill = Fill(qty=1, price=2, note="a")

    assert replace(fill, fee=3) == Fill(qty=1, price=2, fee=3, note="a")
    assert copy(fill) == fill
    assert pickle.loads(pickle.dumps(fill)) == fill


@pytest.mark.parametrize("given", [{"qty": 1}, {"qty": 1, "price": 2, "other": 3}])
def test_wrong_keywords_are_refused(given):
    with pytest.raises(TypeError, match=r"Fill.__init__\(\)"):
        Fill(**given)


def test_positions_are_refused():
    with pytest.raises(TypeError):
        Fill(1, 2)


def test_a_class_that_is_made_otherwise_is_refused():
    @dataclass(frozen=True, slots=True, kw_only=True)
    class Listed:
        items: list[int] = field(default_factory=list)

    @dataclass(frozen=True, slots=True, kw_only=True)
    class Checked:
        item: int

        def __post_init__(self) -> None:
            """Check."""

    for made in (Listed, Checked):
        with pytest.raises(TypeError, match=made.__name__):
            fast_init(made)
