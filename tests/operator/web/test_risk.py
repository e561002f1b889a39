"""The risk page: groups against their caps, the act that an advice leads to, shares of nothing."""

from dataclasses import replace
from decimal import Decimal

import pytest

from domain.portfolio.rebalancing import Advice, Rebalance
from infra.operator.web.risk import percent_or_unknown, risk
from tests.actors.test_wording import PORTFOLIO, POSITION, RULES

HELD = replace(
    PORTFOLIO, positions={"SOL": POSITION}, prices={"SOL": Decimal("131.20")}, capital=Decimal(8000)
)
GROUPS = {"BTC": "majors", "ETH": "majors", "SOL": None}
CAPPED = replace(
    RULES,
    assets=tuple(replace(one, correlation_group=GROUPS[one.asset]) for one in RULES.assets),
    approval=replace(
        RULES.approval,
        max_correlated_exposure=Decimal("0.5"),
        max_concentration=None,
        concentration_top_n=2,
    ),
)


def test_named_groups_and_measured_ones_stand_against_their_caps() -> None:
    found = risk(HELD, CAPPED)

    share = POSITION.notional / HELD.capital
    assert [each["name"] for each in found["groups"]] == ["majors", "with SOL"]
    majors, measured = found["groups"]
    assert (majors["assets"], majors["exposure"]) == ("BTC, ETH", "0.0%")
    assert (measured["assets"], measured["exposure"]) == ("SOL", f"{share:.1%}")
    assert {each["exposure_cap"] for each in found["groups"]} == {"of 50.0%"}
    assert {each["largest_cap"] for each in found["groups"]} == {"no cap"}
    assert found["largest"] == 2


@pytest.mark.parametrize(
    ("action", "may_reduce"), [(Rebalance.REDUCE, True), (Rebalance.ADD, False), (None, False)]
)
def test_only_an_advice_to_reduce_has_an_act(action: Rebalance | None, may_reduce: bool) -> None:
    advice = Advice(
        asset="SOL",
        weight=Decimal("0.2"),
        target=Decimal("0.1"),
        drift=Decimal(1),
        action=action,
        qty=Decimal("1.5"),
        is_oversize=True,
    )

    (shown,) = risk(replace(HELD, advice=(advice,)), RULES)["advice"]

    assert (shown["asset"], shown["may_reduce"]) == ("SOL", may_reduce)
    assert "OVERSIZE" in shown["text"]


def test_a_share_of_a_loss_is_no_minus_nothing() -> None:
    assert percent_or_unknown(Decimal(0) / Decimal(-165)) == "0.0%"
