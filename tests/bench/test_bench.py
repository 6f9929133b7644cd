"""The bench's own arithmetic, and that its floor is served as the shop is."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import asyncpg
import granian
import pytest

from commerce import cli
from tests.bench import hello
from tests.bench.__main__ import options_of
from tests.bench.bench import PARTS, TITLES
from tests.bench.chain import LARGE, LOCATIONS, Chain, lies_there
from tests.bench.cpu import CpuMeter
from tests.bench.floor import Written, differences
from tests.bench.flows import FLOWS
from tests.bench.hot import sentences
from tests.bench.instance import ROOT
from tests.bench.report import FLOORS, MARKS, Comparison, Figures, Mark, Report, Sample, judge, percentile
from tests.bench.scale import compare
from tests.bench.watch import Seen, Stages, stage_of


def figures(server: float, postgres: float, *, units: int = 10, multiple: float | None = None) -> Figures:
    return Figures(
        rps=100.0, p50_ms=1.0, p95_ms=2.0, p99_ms=3.0, cpu_ms_server=server, cpu_ms_postgres=postgres, units=units,
        floor_multiple=multiple,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("share", "expected"), [(0.5, 50.0), (0.95, 95.0), (0.99, 99.0), (1.0, 100.0), (0.001, 1.0), (0.0, 1.0)]
)
def test_percentile_is_the_nearest_rank(share: float, expected: float) -> None:
    assert percentile([float(n) for n in range(1, 101)], share) == expected


def test_percentile_of_few() -> None:
    assert percentile([], 0.5) == 0.0
    assert percentile([7.0], 0.99) == 7.0
    assert percentile([1.0, 2.0], 0.5) == 1.0


def test_rounds_add_up() -> None:
    sample = Sample()
    for latencies, seconds, server, postgres in (([3.0, 1.0], 0.5, 0.004, 0.002), ([2.0, 4.0], 1.5, 0.008, 0.004)):
        sample.units += len(latencies)
        sample.seconds += seconds
        sample.cpu_server += server
        sample.cpu_postgres += postgres
        sample.latencies_ms += latencies
    assert sample.figures() == Figures(
        rps=2.0, p50_ms=2.0, p95_ms=4.0, p99_ms=4.0, cpu_ms_server=3.0, cpu_ms_postgres=1.5, units=4
    )
    assert Sample().figures() == Figures(
        rps=0.0, p50_ms=0.0, p95_ms=0.0, p99_ms=0.0, cpu_ms_server=0.0, cpu_ms_postgres=0.0, units=0
    )


def test_a_multiple_counts_server_and_postgres_against_the_floor_of_the_same_concurrency() -> None:
    report = Report(conditions={})
    report.floors = {"place_floor": {1: figures(0, 0.5), 8: figures(0, 0.25)}}
    report.add_flow("place", 1, figures(2, 1))
    report.add_flow("place", 8, figures(2, 1))
    report.add_flow("place", 32, figures(2, 1))
    assert [f.floor_multiple for f in report.flows["place"].values()] == [6.0, 12.0, None]


def test_a_mark_is_held_against_the_worst_concurrency() -> None:
    flows = {
        "place": {1: figures(1, 1, multiple=19.0), 8: figures(1, 1, multiple=20.0), 32: figures(1, 1, multiple=18.0)}
    }
    verdict = judge(flows, [Mark("place", 20), Mark("product_list", 20)])["place"]
    assert (verdict.multiple, verdict.at_concurrency, verdict.holds) == (20.0, 8, True)
    assert judge(flows, [Mark("place", 19.9)])["place"].holds is False


def test_a_flow_without_a_floor_misses_its_mark() -> None:
    verdict = judge({"place": {1: figures(1, 1, multiple=3.0), 8: figures(1, 1)}}, [Mark("place", 20)])["place"]
    assert (verdict.holds, verdict.at_concurrency) == (False, 8)


def test_a_refusal_fails_the_run_whatever_the_marks_say() -> None:
    report = Report(conditions={})
    report.floors = {"place_floor": {1: figures(0, 1)}}
    report.add_flow("place", 1, figures(1, 1))
    assert report.passed
    report.refusals = {"place": {"POST /v1/orders answered 503": 2}}
    assert not report.passed


def test_json_has_stable_keys() -> None:
    report = Report(conditions={"seconds": 3.0})
    report.floors = {"hello": {1: figures(0.1, 0)}, "place_floor": {1: figures(0, 0.5)}}
    report.add_flow("product_list", 1, figures(1.00049, 1.25))
    report.add_flow("place", 1, figures(8, 4))
    measured = {
        "rps": 100.0, "p50_ms": 1.0, "p95_ms": 2.0, "p99_ms": 3.0, "cpu_ms_server": 1.0, "cpu_ms_postgres": 1.25, "units": 10,
        "refused": 0, "floor_multiple": 22.505,
    }  # fmt: skip
    document = json.loads(report.to_json())
    assert list(document) == ["conditions", "floors", "flows", "marks", "comparisons", "notes", "refused"]
    assert document["flows"]["product_list"] == {"1": measured}
    assert document["floors"]["place_floor"]["1"]["cpu_ms_postgres"] == 0.5
    assert document["marks"] == {
        "product_list": {"floor": "hello", "limit": 20, "multiple": 22.5, "at_concurrency": 1, "holds": False},
        "place": {"floor": "place_floor", "limit": 20, "multiple": 24.0, "at_concurrency": 1, "holds": False},
    }
    assert (document["comparisons"], document["notes"], document["refused"]) == ([], {}, {})


def comparison(value: float, *, limit: float, at_least: bool = False) -> Comparison:
    return Comparison(
        part="hot", title="orders", unit="/s", concurrency=8, measured=80.0, beside=100.0, value=value, limit=limit, at_least=at_least,
    )  # fmt: skip


def test_a_comparison_is_held_against_its_limit_and_fails_the_run() -> None:
    assert [comparison(0.8, limit=0.8, at_least=True).holds, comparison(0.79, limit=0.8, at_least=True).holds] == [
        True,
        False,
    ]
    assert [comparison(1.3, limit=1.3).holds, comparison(1.31, limit=1.3).holds] == [True, False]
    report = Report(
        conditions={}, comparisons=[comparison(0.8004, limit=0.8, at_least=True)], notes={"hot": ["because"]}
    )
    assert report.passed
    document = json.loads(report.to_json())
    assert document["comparisons"] == [
        {
            "part": "hot", "title": "orders", "unit": "/s", "concurrency": 8, "measured": 80.0, "beside": 100.0, "value": 0.8,
            "limit": 0.8, "at_least": True, "holds": True,
        }
    ]  # fmt: skip
    assert document["notes"] == {"hot": ["because"]}
    report.comparisons.append(comparison(2.0, limit=1.3))
    assert not report.passed


def test_stages_of_a_connection() -> None:
    book, queue = "WITH \ndelta AS MATERIALIZED (", 'WITH q0 AS (INSERT INTO "orders"."lines"'
    cases: list[tuple[Seen, str | None]] = [
        (("active", None, book), "booking"),
        (("active", "Lock", book), "waiting"),
        (("active", "Lock", queue), "waiting"),
        (("active", "IO", queue), "before"),
        (("idle in transaction", "Client", book), "api"),
        (("idle in transaction", "Client", queue), "before"),
        (("active", "IO", "COMMIT;"), "commit"),
        (("idle", "Client", "COMMIT;"), None),
        (("active", None, ""), "before"),
        ((None, None, None), None),
    ]
    assert [stage_of(seen) for seen, _ in cases] == [stage for _, stage in cases]


def test_shares_of_the_time_under_the_lock() -> None:
    stages = Stages()
    book, waits = ("idle in transaction", "Client", "WITH delta AS"), ("active", "Lock", "WITH delta AS")
    stages.add([book, waits, waits])
    stages.add([("active", "IO", "COMMIT"), waits, ("idle", None, "COMMIT")])
    stages.add([("active", None, "SELECT 1"), ("idle", None, "COMMIT")])
    assert (stages.looks, stages.held, stages.share("api"), stages.share("commit")) == (3, 2, 0.5, 0.5)
    assert (stages.held_share, stages.waiting_share) == (2 / 3, 0.5)
    hot = Sample(units=100, seconds=0.3)
    said = sentences(8, hot, stages, Sample(units=30, seconds=0.1), Sample(units=40, seconds=0.1), Stages())
    assert said[0] == (
        "8 at once: the level was locked 67% of the time, 2.0 ms per order (at most 500 orders per s): the posting's statement 0%, "
        "the API's turn between posting and commit 50%, the commit 50%."
    )
    assert "300 orders per s of the hot variant instead of 333; spread 400" in said[1]


def test_the_floor_must_fill_the_same_columns() -> None:
    real = {
        "a.b": Written(1, [["id", "note"]], 100),
        "a.c": Written(2, [["id"], ["id"]], 80),
        "a.e": Written(1, [["id"]], 9),
    }
    bare = {"a.b": Written(1, [["id"]], 100), "a.c": Written(2, [["id"], ["id"]], 120), "a.d": Written(1, [["id"]], 9)}
    assert differences(real, real) == {}
    assert differences(real, bare) == {
        "a.b": "filled ['note'], floor []", "a.c": "80 bytes, floor 120", "a.d": "0 rows, floor 1", "a.e": "1 rows, floor 0",
    }  # fmt: skip


def test_every_flow_has_a_floor_and_a_title_and_every_mark_a_flow() -> None:
    assert set(FLOWS) == {"hello", "hot", "spread", "availability", *FLOORS}
    assert {mark.flow for mark in MARKS} == {
        "product_list",
        "product_page",
        "put_and_read_cart",
        "put_and_read_cart_100",
        "place",
    }
    assert set(TITLES) == {"place_floor", *FLOWS}
    assert PARTS == ("hot", "scale", "availability")


def test_options() -> None:
    options, path = options_of(
        ["--only", "place,full_flow", "--seconds", "0.5", "--concurrency", "8,1,8", "--json", "x.json"]
    )
    assert (options.flows, options.levels, options.seconds) == (("place", "full_flow"), (1, 8), 0.5)
    assert path == Path("x.json")
    options, path = options_of([])
    assert (options.flows, options.parts, options.levels, options.seconds) == (tuple(FLOORS), PARTS, (1, 8, 32), 3.0)
    options, _ = options_of(["--only", "scale,hot", "--levels", "5000,10000"])
    assert (options.flows, options.parts, options.chain_levels) == ((), ("scale", "hot"), (5000, 10000))
    assert (options.folder, path) == (ROOT / ".bench", None)


@pytest.mark.parametrize(
    ("argument", "said"),
    [
        (["--only", "checkout"], "no flow is called 'checkout'"),
        (["--concurrency", "0"], "--concurrency takes numbers from 1 to 64"),
        (["--concurrency", "many"], "--concurrency takes numbers from 1 to 64"),
        (["--levels", "50000"], "--levels takes two numbers"),
        (["--levels", "50000,50000"], "--levels takes two numbers"),
        (["--seconds", "0"], "--seconds takes more than 0"),
        (["--json", "/no/such/folder/x.json"], "does not exist"),
    ],
)
def test_bad_options_are_explained(argument: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        options_of(argument)
    assert stopped.value.code == 2
    assert said in capsys.readouterr().err


def test_hello_is_served_with_the_settings_of_the_shop(monkeypatch: pytest.MonkeyPatch) -> None:
    served: list[tuple[str, dict[str, Any]]] = []

    class Recorder:
        def __init__(self, target: str, **settings: Any) -> None:
            served.append((target, settings))

        def serve(self) -> None:
            pass

    monkeypatch.setattr(granian, "Granian", Recorder)
    monkeypatch.setattr(hello, "Granian", Recorder)
    for name, value in {
        "DATABASE_URL": "postgresql://nowhere/x", "REDIS_URL": "redis://nowhere", "SECRET_KEY": "0" * 32, "API_WORKERS": "1",
        "HOST": "127.0.0.1", "PORT": "8001",
    }.items():  # fmt: skip
        monkeypatch.setenv(name, value)
    hello.serve(8001)
    assert cli.main(["serve"]) == 0
    (hello_target, hello_settings), (shop_target, shop_settings) = served
    assert (hello_target, shop_target) == ("tests.bench.hello:app", "commerce.app:served")
    assert hello_settings == shop_settings


def test_cpu_counts_children_that_have_ended() -> None:
    burn = "import time\nend = time.process_time() + 0.3\nwhile time.process_time() < end: pass"
    script = f"import subprocess, sys\nsubprocess.run([sys.executable, '-c', {burn!r}])\nprint('done', flush=True)\nsys.stdin.read()"
    with subprocess.Popen([sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as parent:
        meter = CpuMeter(parent=parent.pid)
        before = meter.seconds()["parent"]
        assert parent.stdout is not None
        assert parent.stdout.readline() == b"done\n"
        used = meter.seconds()["parent"] - before
    assert 0.25 <= used < 2.0


def test_cpu_of_this_process_grows() -> None:
    meter = CpuMeter(this=os.getpid())
    before = meter.seconds()["this"]
    until = time.process_time() + 0.1
    while time.process_time() < until:
        pass
    assert meter.seconds()["this"] > before


def test_the_whole_bench_in_small(tmp_path: Path) -> None:
    """Every part of it for a moment: above all, the floor writes the rows of a real order."""
    figures = tmp_path / "figures.json"
    done = subprocess.run(
        [
            sys.executable, "-m", "tests.bench", "--only", "place,place_by_plan,hot,scale,availability", "--seconds", "0.3",
            "--concurrency", "2", "--history", "80", "--levels", "5000,10000", "--json", figures, "--data", tmp_path / "data",
        ],
        cwd=ROOT, capture_output=True, text=True, timeout=600, check=False,
    )  # fmt: skip
    assert done.returncode in (0, 1), done.stderr  # a machine busy with other tests may miss the mark
    document = json.loads(figures.read_text())
    assert document["conditions"]["rows_of_an_order"] == {
        "carts.carts": 1,
        "fulfillment.fulfillments": 1,
        "fulfillment.lines": 2,
        "fulfillment.promises": 1,
        "fulfillment.steps": 1,
        "infra.idempotency_keys": 1,
        "infra.outbox": 3,
        "orders.entries": 1,
        "orders.lines": 2,
        "orders.orders": 1,
        "stock.levels": 2,
        "stock.movements": 2,
        "stock.postings": 1,
        "stock.reservations": 2,
    }
    placed = document["flows"]["place"]["2"]
    assert placed["units"] > 0
    assert placed["cpu_ms_server"] > 0
    assert placed["floor_multiple"] > 0
    assert document["floors"]["place_floor"]["2"]["cpu_ms_postgres"] > 0
    assert document["refused"] == {}
    assert "same rows in pgbench" in done.stdout
    assert list(document["flows"]) == [
        "place", "place_by_plan", "spread", "hot", "reserve_small", "reserve_large", "availability",
    ]  # fmt: skip
    assert all(figures["units"] > 0 for levels in document["flows"].values() for figures in levels.values())
    marks = {(mark["part"], mark["concurrency"]): mark for mark in document["comparisons"]}
    assert list(marks) == [("hot", 2), ("scale", 1), ("scale", 8), ("availability", 1)]
    hot = marks["hot", 2]
    assert (hot["limit"], hot["at_least"], hot["value"]) == (
        0.8,
        True,
        pytest.approx(hot["measured"] / hot["beside"], 0.01),
    )
    assert (marks["scale", 8]["limit"], marks["availability", 1]["limit"], marks["availability", 1]["beside"]) == (
        1.3,
        10.0,
        None,
    )
    assert document["conditions"]["chain_levels"] == [5000, 10000]
    assert "the level was locked" in document["notes"]["hot"][0]
    assert document["notes"]["scale"] == [
        "The large chain has 10,000 levels, 100 variants in 100 locations, the small one 5,000 levels, 50 variants."
    ]
    assert [path.name for path in (tmp_path / "data").iterdir()] == ["chain"]


def asked(url: str, *questions: str) -> list[Any]:
    """The one value that each of the statements answers."""

    async def ask() -> list[Any]:
        connection = await asyncpg.connect(url)
        try:
            return [await connection.fetchval(question) for question in questions]
        finally:
            await connection.close()

    return asyncio.run(ask())


def test_the_chain_is_kept_and_its_books_are_right(tmp_path: Path) -> None:
    told: list[str] = []
    folder, indexes = tmp_path / "chain", "SELECT count(*) FROM pg_indexes WHERE schemaname = 'stock'"
    with Chain(folder, (5_000, 10_000), told.append) as chain:
        samples, _ = compare(chain, seconds=0.1, tell=told.append, levels=[2])
        assert samples[LARGE][2].units > 0
        environment = chain.instance.environment | {"DATABASE_URL": chain.url(LARGE)}
        done = subprocess.run(
            [sys.executable, "-m", "commerce", "audit"], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=600,
            check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        durable = "SELECT current_setting('fsync') || ' ' || current_setting('full_page_writes')"
        assert asked(chain.url("commerce"), indexes, durable) == [*asked(chain.url(LARGE), indexes), "on on"]
    assert told[0] == "making the large chain; it is kept for the next time"
    told.clear()
    with Chain(folder, (5_000, 10_000), told.append) as chain:
        levels, empty, committed = asked(
            chain.url(LARGE),
            "SELECT count(*) FROM stock.levels",
            "SELECT count(*) FROM stock.levels WHERE available + committed = 0",
            "SELECT sum(committed) FROM stock.levels",
        )
    nowhere = sum(not lies_there(place, n) for place in range(1, LOCATIONS + 1) for n in range(1, 101))
    assert (levels, empty, committed > 0) == (10_000, nowhere, True)
    assert told == ["starting the large chain"]
    with Chain(folder, (5_000, 20_000), told.append):
        assert told[1] == "making the large chain; it is kept for the next time"
