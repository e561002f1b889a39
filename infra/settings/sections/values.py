"""The types of setting values, each with its unit and range."""

from decimal import Decimal
from typing import Annotated

from pydantic import BaseModel, BeforeValidator, ConfigDict, SecretStr

from infra.settings import fields

SECOND_MS = 1000
Fraction = Annotated[Decimal, fields.fraction("0.001", "0.999")]
Share = Annotated[Decimal, fields.fraction("0.001", "1")]
Correlation = Annotated[Decimal, fields.fraction("0.01", "1")]
Exposure = Annotated[Decimal, fields.multiple_of_balance("0.01", "50")]
Count = Annotated[int, fields.whole("count", 1, 1000)]
Candles = Annotated[int, fields.whole("candles", 2, 100_000)]
Ms = Annotated[int, fields.whole("milliseconds", 1, 600_000)]
Seconds = Annotated[Decimal, fields.number("seconds", "0.01", "3600")]
Minutes = Annotated[int, fields.whole("minutes", 0, 10_080)]
HoldHours = Annotated[Decimal, fields.number("hours", "0.01", "8760")]
Hours = Annotated[Decimal, fields.number("hours", "0", "8760")]
Ratchet = Annotated[Decimal, fields.fraction("0", "0.5")]
RsiLevel = Annotated[Decimal, fields.number("RSI", "0", "100")]
Positive = Annotated[Decimal, fields.number("above zero", "0.00000001", "1000000000")]
Symbol = Annotated[
    str, fields.text(r"[A-Z0-9]{1,20}USDT", "a USDT perpetual in capitals, like BTCUSDT")
]
Flag = Annotated[bool, BeforeValidator(fields.flag)]
Secret = Annotated[SecretStr, BeforeValidator(fields.secret)]
SecretUrl = Annotated[SecretStr, BeforeValidator(fields.secret_url)]
TimeOfDay = Annotated[
    str, fields.text(r"([01][0-9]|2[0-3]):[0-5][0-9]", "a UTC time of day, like 00:00")
]


class Section(BaseModel):
    """A group of settings: nothing can be added, and nothing changes."""

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)


def ms(value: Decimal, unit_ms: int) -> int:
    """Return a duration in whole milliseconds."""
    return int(value * unit_ms)
