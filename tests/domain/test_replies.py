"""Answers as a phone shows them."""

from domain.operator.replies import Reply, ReplyCode, ReplyTable


def text(columns: tuple[str, ...], *rows: tuple[str, ...]) -> str:
    table = ReplyTable(columns=columns, rows=rows)
    return Reply(code=ReplyCode.DONE, title="Risk", lines=("HALTED",), table=table).text


def test_each_of_several_cells_stands_behind_its_name() -> None:
    found = text(("limit of", "now", "limit"), ("exposure", "0.0%", "210.0%"))

    assert found == "Risk\nHALTED\nexposure: now 0.0%, limit 210.0%"


def test_a_single_cell_needs_no_name_and_an_empty_one_is_left_out() -> None:
    assert text(("what", "USDT"), ("equity", "10,000.00")).endswith("\nequity: 10,000.00")
    actors = ("actor", "status", "restarts", "last failure")
    assert text(actors, ("account", "running", "0", "")).endswith(
        "\naccount: status running, restarts 0"
    )
    assert text(("asset", "regime", "price"), ("SOL", "waiting", "")).endswith(
        "\nSOL: regime waiting"
    )
