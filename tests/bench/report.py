"""Figures, marks, the table on the terminal and the JSON with stable keys."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import msgspec
from rich import box
from rich.console import Console
from rich.table import Table

__all__ = [
    "FLOORS",
    "HELLO",
    "MARKS",
    "PLACE_FLOOR",
    "Comparison",
    "Figures",
    "Mark",
    "Report",
    "Sample",
    "Verdict",
    "judge",
    "percentile",
]

PLACE_FLOOR = "place_floor"
HELLO = "hello"

FLOORS = {
    "product_list": HELLO,
    "product_page": HELLO,
    "put_and_read_cart": HELLO,
    "put_and_read_cart_100": HELLO,
    "place": PLACE_FLOOR,
    "place_by_plan": PLACE_FLOOR,
    "full_flow": PLACE_FLOOR,
}
"""What each flow is compared with."""


class Mark(msgspec.Struct, frozen=True):
    """A promise: CPU of server + PostgreSQL per unit, at most so many times the floor's at the same concurrency."""

    flow: str
    limit: float


MARKS = (
    Mark("product_list", 20),
    Mark("product_page", 20),
    Mark("put_and_read_cart", 45),
    Mark("put_and_read_cart_100", 90),
    Mark("place", 20),
)


def percentile(ordered: Sequence[float], share: float) -> float:
    """The nearest-rank percentile of ordered values; 0 of none."""
    if not ordered:
        return 0.0
    return ordered[min(len(ordered) - 1, max(0, -int(-len(ordered) * share // 1) - 1))]


class Figures(msgspec.Struct, frozen=True, kw_only=True):
    """One measurement. A unit is one request, or one run of a flow of several; `rps` counts units."""

    rps: float
    p50_ms: float
    p95_ms: float
    p99_ms: float
    cpu_ms_server: float
    cpu_ms_postgres: float
    units: int
    refused: int = 0
    floor_multiple: float | None = None

    @property
    def cpu_ms(self) -> float:
        """CPU per unit that counts: server and PostgreSQL, not the load client."""
        return self.cpu_ms_server + self.cpu_ms_postgres


class Sample(msgspec.Struct, kw_only=True):
    """What adds up to Figures: the rounds of one measurement."""

    units: int = 0
    seconds: float = 0.0
    cpu_server: float = 0.0
    cpu_postgres: float = 0.0
    refused: int = 0
    latencies_ms: list[float] = msgspec.field(default_factory=list)

    def add(self, other: Sample) -> None:
        """Take another round in."""
        self.units += other.units
        self.seconds += other.seconds
        self.cpu_server += other.cpu_server
        self.cpu_postgres += other.cpu_postgres
        self.refused += other.refused
        self.latencies_ms += other.latencies_ms

    def figures(self) -> Figures:
        """Per unit; zeros when nothing succeeded."""
        self.latencies_ms.sort()
        units = max(1, self.units)
        return Figures(
            rps=self.units / self.seconds if self.seconds else 0.0,
            p50_ms=percentile(self.latencies_ms, 0.50),
            p95_ms=percentile(self.latencies_ms, 0.95),
            p99_ms=percentile(self.latencies_ms, 0.99),
            cpu_ms_server=self.cpu_server * 1000 / units,
            cpu_ms_postgres=self.cpu_postgres * 1000 / units,
            units=self.units,
            refused=self.refused,
        )


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """A mark held against the worst of the measured concurrencies."""

    floor: str
    limit: float
    multiple: float
    at_concurrency: int
    holds: bool


class Comparison(msgspec.Struct, frozen=True, kw_only=True):
    """A figure held against a limit: a ratio of two of the same run, or one with a limit of its own."""

    part: str
    title: str
    unit: str
    concurrency: int
    measured: float
    beside: float | None
    """What it is divided by; None when it stands alone."""
    value: float
    limit: float
    at_least: bool = False

    @property
    def holds(self) -> bool:
        """Whether the mark is kept."""
        return self.value >= self.limit if self.at_least else self.value <= self.limit


def multiple_of(figures: Figures, floor: Figures | None) -> float | None:
    """How many times the floor's CPU a unit takes; None without a usable floor."""
    if floor is None or floor.cpu_ms <= 0 or not figures.units:
        return None
    return figures.cpu_ms / floor.cpu_ms


def judge(flows: Mapping[str, Mapping[int, Figures]], marks: Iterable[Mark] = MARKS) -> dict[str, Verdict]:
    """The marks of the flows that were measured. A flow without a single multiple misses its mark."""
    verdicts = {}
    for mark in marks:
        if mark.flow not in flows:
            continue
        multiples = {n: figures.floor_multiple for n, figures in flows[mark.flow].items()}
        worst, at = max((float("inf") if m is None else m, n) for n, m in multiples.items())
        verdicts[mark.flow] = Verdict(
            floor=FLOORS[mark.flow], limit=mark.limit, multiple=worst, at_concurrency=at, holds=worst <= mark.limit
        )
    return verdicts


class Report(msgspec.Struct, kw_only=True):
    """Everything of one run."""

    conditions: dict[str, Any]
    floors: dict[str, dict[int, Figures]] = msgspec.field(default_factory=dict)
    flows: dict[str, dict[int, Figures]] = msgspec.field(default_factory=dict)
    refusals: dict[str, dict[str, int]] = msgspec.field(default_factory=dict)
    """Flow -> unexpected answer -> how often."""
    comparisons: list[Comparison] = msgspec.field(default_factory=list)
    notes: dict[str, list[str]] = msgspec.field(default_factory=dict)
    """Part -> sentences that explain its figures."""

    def add_flow(self, name: str, concurrency: int, figures: Figures) -> None:
        """Keep the figures of a flow with their multiple of the floor at the same concurrency, if it has one."""
        floor = self.floors.get(FLOORS.get(name, ""), {}).get(concurrency)
        figures = msgspec.structs.replace(figures, floor_multiple=multiple_of(figures, floor))
        self.flows.setdefault(name, {})[concurrency] = figures

    @property
    def verdicts(self) -> dict[str, Verdict]:
        """The marks of what was measured."""
        return judge(self.flows)

    @property
    def passed(self) -> bool:
        """Every mark holds and no request was refused."""
        held = [verdict.holds for verdict in self.verdicts.values()] + [mark.holds for mark in self.comparisons]
        return not self.refusals and all(held)

    def to_json(self) -> str:
        """`{"conditions", "floors", "flows", "marks", "comparisons", "notes", "refused"}`; concurrency is a key in text."""

        def plain(figures: Figures) -> dict[str, Any]:
            values = msgspec.to_builtins(figures)
            return {name: round(value, 3) if isinstance(value, float) else value for name, value in values.items()}

        def by_level(measured: Mapping[str, Mapping[int, Figures]]) -> dict[str, Any]:
            return {name: {str(n): plain(f) for n, f in levels.items()} for name, levels in measured.items()}

        marks = {
            flow: {
                "floor": verdict.floor,
                "limit": verdict.limit,
                "multiple": None if verdict.multiple == float("inf") else round(verdict.multiple, 2),
                "at_concurrency": verdict.at_concurrency,
                "holds": verdict.holds,
            }
            for flow, verdict in self.verdicts.items()
        }
        return json.dumps(
            {
                "conditions": self.conditions,
                "floors": by_level(self.floors),
                "flows": by_level(self.flows),
                "marks": marks,
                "comparisons": [
                    {
                        name: round(value, 3) if isinstance(value, float) else value
                        for name, value in {**msgspec.to_builtins(comparison), "holds": comparison.holds}.items()
                    }
                    for comparison in self.comparisons
                ],
                "notes": self.notes,
                "refused": self.refusals,
            },
            indent=2,
            ensure_ascii=False,
        )

    def print(self, console: Console, titles: Mapping[str, str]) -> None:
        """The tables: figures, then marks, then what was refused."""
        table = Table(
            title="CPU and speed per unit of work",
            title_justify="left",
            header_style="bold",
            box=box.SIMPLE_HEAD,
            pad_edge=False,
        )
        table.add_column("", no_wrap=True)
        for heading in (
            "at once",
            "per s",
            "p50 ms",
            "p95 ms",
            "p99 ms",
            "CPU ms\nserver",
            "CPU ms\nPostgreSQL",
            "times\nfloor",
        ):
            table.add_column(heading, justify="right", no_wrap=True)
        for measured in (self.floors, self.flows):
            for name, levels in measured.items():
                for position, (concurrency, figures) in enumerate(levels.items()):
                    last = position == len(levels) - 1
                    label = (name, "[dim]floor[/]" if name in FLOORS.values() else "", "")[min(position, 2)]
                    table.add_row(label, *_cells(concurrency, figures), end_section=last)
        if self.flows:
            console.print(table)
        verdicts = self.verdicts
        if verdicts:
            marks = Table(title="Marks", title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False)
            marks.add_column("CPU of server + PostgreSQL", no_wrap=True)
            for heading in ("at most", "worst", "at once", ""):
                marks.add_column(heading, justify="right", no_wrap=True)
            marks.add_column("floor", no_wrap=True)
            for flow, verdict in verdicts.items():
                marks.add_row(
                    titles[flow],
                    f"{verdict.limit:g} x",
                    f"{verdict.multiple:.1f} x",
                    str(verdict.at_concurrency),
                    "[green]holds[/]" if verdict.holds else "[bold red]missed[/]",
                    titles[verdict.floor],
                )
            console.print(marks)
        if self.comparisons:
            console.print(_comparisons(self.comparisons))
        for part, sentences in self.notes.items():
            console.print(f"[bold]{part}[/]", *(f"  {sentence}" for sentence in sentences), sep="\n", highlight=False)
        for flow, answers in self.refusals.items():
            for answer, count in answers.items():
                console.print(f"[bold red]refused[/] {titles[flow]}: {count} x {answer}", highlight=False)


def _comparisons(comparisons: Iterable[Comparison]) -> Table:
    table = Table(
        title="Marks of stock", title_justify="left", header_style="bold", box=box.SIMPLE_HEAD, pad_edge=False
    )
    table.add_column("", no_wrap=True)
    for heading in ("at once", "measured", "beside", "", "mark", ""):
        table.add_column(heading, justify="right", no_wrap=True)
    for comparison in comparisons:
        ratio = comparison.beside is not None
        table.add_row(
            comparison.title,
            str(comparison.concurrency),
            f"{comparison.measured:,.2f} {comparison.unit}",
            f"{comparison.beside:,.2f} {comparison.unit}" if ratio else "",
            f"{comparison.value:.2f} x" if ratio else "",
            f"{'>=' if comparison.at_least else '<='} {comparison.limit:g} {'x' if ratio else comparison.unit}",
            "[green]holds[/]" if comparison.holds else "[bold red]missed[/]",
        )
    return table


def _cells(concurrency: int, figures: Figures) -> list[str]:
    return [
        str(concurrency),
        f"{figures.rps:,.0f}",
        f"{figures.p50_ms:.1f}",
        f"{figures.p95_ms:.1f}",
        f"{figures.p99_ms:.1f}",
        f"{figures.cpu_ms_server:.2f}",
        f"{figures.cpu_ms_postgres:.2f}",
        "" if figures.floor_multiple is None else f"{figures.floor_multiple:.1f}",
    ]
