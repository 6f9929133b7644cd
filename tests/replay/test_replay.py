"""The replay on a small file of the same form: to the penny, stoppable, and every row left out is counted by its reason."""

from __future__ import annotations

import io
from collections import Counter
from datetime import UTC, date, datetime
from pathlib import Path

import pytest
from rich.console import Console

from fixtures.replay import run, source
from fixtures.replay.ledger import Piece, Purchases
from fixtures.replay.source import FileError

FILE = Path(__file__).parent / "invoices.csv"


def test_reading_keeps_goods_and_counts_the_rest_by_reason() -> None:
    found = source.read(FILE)
    assert [invoice.number for invoice in found.invoices] == [
        "100001", "100002", "100003", "C100004", "C100005", "C100006", "C100007", "C100008", "100011", "C100013",
    ]  # fmt: skip
    assert found.rows_read == 19
    assert found.left_out == Counter(
        {
            "not goods (postage, fee, discount, voucher, sample, manual)": 2,
            "price zero or below": 2,
            "not an invoice (bad debt adjustment)": 1,
            "price finer than a penny": 1,
        }
    )
    assert sum(len(invoice.rows) for invoice in found.invoices) + sum(found.left_out.values()) == found.rows_read
    first = found.invoices[0]
    assert (first.total, first.units, first.customer) == (6 * 255 + 6 * 339, 12, "17850")
    assert first.at == datetime(2010, 12, 1, 8, 26, tzinfo=UTC)
    assert found.invoices[1].rows[0].code == "85123A"


def test_the_list_price_of_a_day_is_its_highest_invoice_price() -> None:
    found = source.read(FILE)
    assert found.prices["85123A"] == [(date(2010, 12, 1), 295)]
    assert found.prices["22633"] == [(date(2010, 12, 1), 185)]
    assert found.prices["71053"] == [(date(2010, 12, 1), 339), (date(2011, 1, 10), 295)]


def test_a_cancellation_takes_back_an_earlier_purchase_of_the_same_customer_code_and_price() -> None:
    purchases = Purchases()
    matched: dict[str, list[list[Piece]]] = {}
    for invoice in source.read(FILE).invoices:
        if invoice.cancels:
            matched[invoice.number] = purchases.take_back(invoice)
        else:
            purchases.buy(invoice)
    assert matched == {
        "C100004": [[Piece("100001", "71053", 339, 2)]],
        "C100005": [[Piece("100002", "22633", 145, 3)]],
        "C100006": [],
        "C100007": [],
        "C100008": [],
        "C100013": [[Piece("100001", "71053", 339, 3)]],
    }
    assert purchases.unmatched == Counter(
        {
            "cancellation of what this customer never bought at this price": 1,
            "cancellation without a customer": 1,
            "cancellation of more than is left of what was bought": 1,
        }
    )


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("a,b\n1,2\n", "the first line must be"),
        (FILE.read_text().splitlines()[0] + "\n1,2,3,x,2010-12-01 08:26:00,2,3,4\n", "line 2"),
        (FILE.read_text().splitlines()[0] + "\n1,2,3,4,yesterday,2,3,4\n", "line 2"),
    ],
)
def test_another_file_is_refused_in_one_sentence(tmp_path: Path, text: str, says: str) -> None:
    file = tmp_path / "other.csv"
    file.write_text(text)
    with pytest.raises(FileError, match=says):
        source.read(file)


def test_the_books_agree_with_the_file_and_a_second_run_changes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Stopped after the first chunk of two invoices, run again, and once more when all is done."""
    monkeypatch.setattr(run, "CHUNK", 2)
    out = io.StringIO()
    console = Console(file=out, width=200)
    whole = run.Replay.replay_chunk
    left = 1

    async def one_chunk(self: run.Replay, start: int, invoices: list[source.Invoice]) -> None:
        nonlocal left
        if left == 0:
            raise KeyboardInterrupt
        left -= 1
        await whole(self, start, invoices)

    monkeypatch.setattr(run.Replay, "replay_chunk", one_chunk)
    data = tmp_path / "data"
    assert run.replay(FILE, data=data, everything=True, console=console, durable=True) == 130
    assert "Run it again" in out.getvalue()
    monkeypatch.setattr(run.Replay, "replay_chunk", whole)
    out.truncate(0)
    assert run.replay(FILE, data=data, everything=True, console=console) == 0, out.getvalue()
    told = " ".join(out.getvalue().split())
    revenue = 6 * 255 + 6 * 339 + 2 * 295 + 4 * 185 + 3 * 145 + 12 * 339 + 10 * 295
    returned = 2 * 339 + 3 * 145 + 3 * 339
    assert "2 of them are in the books already" in told
    assert f"revenue file {revenue // 100}.{revenue % 100:02} books {revenue // 100}.{revenue % 100:02} agree" in told
    assert (
        f"returned file {returned // 100}.{returned % 100:02} books {returned // 100}.{returned % 100:02} agree" in told
    )
    assert "orders file 4 books 4 agree" in told
    assert "units file 43 books 43 agree" in told
    assert "returns file 3 books 3 agree" in told
    assert "returned units file 8 books 8 agree" in told
    assert "0 broken" in told
    out.truncate(0)
    assert run.replay(FILE, data=data, everything=True, console=console) == 0
    assert "DIFFER" not in out.getvalue()
