"""Queries whose text is made once."""

import pytest
from peewee import SQL, SqliteDatabase

from infra.store import schema
from infra.store.sqlite.engine import migrate

_META = schema.table("meta")


def test_a_prepared_query_returns_the_rows_for_what_is_given() -> None:
    database = SqliteDatabase(":memory:")
    database.connect()
    migrate(database, "memory")
    for key in ("a", "b"):
        schema.insert_row(database, _META, {"key": key, "value": key * 2})
    by_key = schema.Prepared(_META.select(SQL("*")).where(_META.c.key == schema.GIVEN))

    assert by_key.rows(database, "b") == [{"key": "b", "value": "bb"}]
    assert by_key.rows(database, "c") == []
    database.close()


def test_a_prepared_query_refuses_a_value_that_would_never_change() -> None:
    with pytest.raises(ValueError, match="expected GIVEN"):
        schema.Prepared(_META.select(_META.c.value).where(_META.c.key == "a"))
