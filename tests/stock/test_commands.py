"""`commerce import|export|compare|close stock` and `commerce audit --full` as an operator calls them."""

from __future__ import annotations

import json
from pathlib import Path

import msgspec
import pytest

from commerce import cli
from commerce.settings import Settings
from tests.support import Item, Shop, Store


class Place(msgspec.Struct, frozen=True):
    """A store with 10 of an item, for tests of its own books."""

    store: Store
    item: Item


@pytest.fixture
async def place(settings: Settings, shop: Shop, monkeypatch: pytest.MonkeyPatch) -> Place:
    monkeypatch.setenv("DATABASE_URL", settings.database_url)
    monkeypatch.setenv("REDIS_URL", settings.redis_url)
    monkeypatch.setenv("SECRET_KEY", settings.secret_key)
    store, item = await shop.store(), await shop.item()
    await shop.stock(store, item, 10)
    return Place(store, item)


def test_export_change_compare_and_import_again(
    place: Place, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    store, item = place.store.code, place.item.sku
    night = tmp_path / "night.csv"
    assert cli.main(["export", "stock", "--location", store, "--output", str(night)]) == 0
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith("1 lines; for what changes from here on: --since ")
    since = said.err.split()[-1]
    row = f"{store},{item},10,absolute,10,0,0,0,0,0,0,10,0,10"
    assert night.read_text().splitlines()[1:] == [row]
    assert cli.main(["compare", "stock", str(night)]) == 0
    said = capsys.readouterr()
    assert (said.out, said.err) == (
        "location,sku,bucket,ours,theirs,delta,last_movement_at\n",
        "1 lines: 1 equal, 0 different, 0 faults; 0 in our books alone\n",
    )
    (more := tmp_path / "more.csv").write_text(f"location,sku,quantity,mode\n{store},{item},5,delta\n")
    assert cli.main(["import", "stock", str(more), "--all-or-nothing"]) == 0
    assert capsys.readouterr().out == "1 lines, 1 rows imported, 1 levels changed, 0 faults\n"
    assert cli.main(["export", "stock", "--location", store, "--since", since, "--format", "ndjson"]) == 0
    change = json.loads(capsys.readouterr().out)
    assert (change["quantity"], change["mode"], change["on_hand"]) == (5, "delta", 5)
    faults = tmp_path / "faults.csv"
    night.write_text(night.read_text() + f"{store},NO-SUCH,1,absolute,,,,,,,,,,\n")
    assert cli.main(["compare", "stock", str(night), "--errors", str(faults)]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[1].startswith(f"{store},{item},for_sale,15,10,-5,20")
    assert said.err == "2 lines: 0 equal, 1 different, 1 faults; 0 in our books alone\n"
    assert faults.read_text() == "line,field,reason\n3,sku,there is no variant NO-SUCH\n"
    assert cli.main(["compare", "stock", str(night), "--as-of", since, "--clock", "recorded"]) == 1
    said = capsys.readouterr()
    assert said.out.splitlines()[1:] == []
    assert said.err.splitlines() == [
        "line 3: sku: there is no variant NO-SUCH",
        "2 lines: 1 equal, 0 different, 1 faults; 0 in our books alone",
    ]
    assert cli.main(["import", "stock", str(night), "--all-or-nothing"]) == 1
    assert capsys.readouterr().out.splitlines()[0] == "nothing imported: 2 lines, 1 faults"


def test_a_refused_export_leaves_the_file_as_it_was(place: Place, tmp_path: Path) -> None:
    (kept := tmp_path / "kept.csv").write_text("of last night\n")
    assert cli.main(["export", "stock", "--location", "nowhere", "--output", str(kept)]) == 2
    assert [(path.name, path.read_text()) for path in tmp_path.iterdir()] == [("kept.csv", "of last night\n")]


def test_close_and_full_audit(place: Place, capsys: pytest.CaptureFixture[str]) -> None:
    assert cli.main(["close", "stock"]) == 0
    first = capsys.readouterr().out
    assert first.startswith("closing ")
    assert cli.main(["close", "stock"]) == 0
    assert capsys.readouterr().out.split(":")[-1] == " made already\n"
    names = {}
    for arguments in (["audit", "--json"], ["audit", "--json", "--full"]):
        cli.main(arguments)
        names[len(arguments)] = {finding["name"] for finding in json.loads(capsys.readouterr().out)}
    assert names[3] - names[2] == {
        "every stock level equals the sum of all movements there ever were",
        "every closing equals the movements recorded up to it",
    }


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (
            ["export", "stock", "--location", "nowhere"],
            "commerce: unknown-location: There is no location with the code nowhere.",
        ),
        (
            ["export", "stock", "--since", "2999-01-01T00:00:00Z"],
            "commerce: not-past: 2999-01-01T00:00:00+00:00 lies in the future",
        ),
        (["compare", "stock", "nothing.csv"], "commerce: nothing.csv: there is no such file."),
        (
            ["export", "stock", "--output", "/no/such/folder/night.csv"],
            "commerce: /no/such/folder/night.csv.part: No such file or directory.",
        ),
    ],
)
def test_a_refusal_is_one_sentence(
    place: Place, arguments: list[str], sentence: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert cli.main(arguments) == 2
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.startswith(sentence), said.err
    assert said.err.count("\n") == 1


@pytest.mark.parametrize("instant", ["yesterday", "2026-01-01T00:00:00"])
def test_an_instant_says_its_offset(instant: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["export", "stock", "--since", instant])
    assert "is no instant" in capsys.readouterr().err
