"""The table for people, the JSON for programs, the picture for both."""

from __future__ import annotations

from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

from benches.measures import DATAGRAMS, DISTANT, WORKS, Table, Work, ratio

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_ROW, _BAR, _LEFT, _TOP = 16, 420, 180, 46


def lines(table: Table, names: Sequence[str], works: Sequence[Work], base: str) -> Iterator[str]:
    """A Markdown table a work: rate, spread, relay cost, ratios to direct and to `base`, losses."""
    bases = tuple(dict.fromkeys(("direct", base)))
    for work in works:
        cost = "s/GB" if work.unit == "GB/s" else "µs each"
        more = [f"÷ {name}" for name in bases] + ["lost"] * (work in DATAGRAMS)
        yield f"\n**{work.name}** ({work.unit})\n"
        yield f"| relay | rate | min-max | relay CPU, {cost} | {' | '.join(more)} |"
        yield "|---|---:|---:|---:|" + "---:|" * len(more)
        for name in names:
            cell = table.get((name, work.name))
            if cell is None:
                continue
            if cell.failed is not None:
                yield f"| {name} | failed: {cell.failed} | | |" + " |" * len(more)
                continue
            spread = f"{number(min(cell.rates))}-{number(max(cell.rates))}"
            row = [name, number(cell.rate()), spread, number(cell.cost())]
            row += [show(ratio(table, name, work.name, other)) for other in bases]
            if work in DATAGRAMS:
                row.append(f"{cell.loss():.2%}")
            yield f"| {' | '.join(row)} |"


def ratios(table: Table, ours: str, names: Sequence[str], works: Sequence[Work]) -> Iterator[str]:
    """A Markdown table of one of our rates by everyone's: above 1 we are faster."""
    yield f"\n**{ours} ÷ each**\n"
    yield f"| | {' | '.join(work.name for work in works)} |"
    yield "|---|" + "---:|" * len(works)
    for name in names:
        if name != ours:
            cells = (show(ratio(table, ours, work.name, name)) for work in works)
            yield f"| {name} | {' | '.join(cells)} |"


def codec(rates: Mapping[str, Mapping[str, float] | str], jobs: Sequence[str]) -> Iterator[str]:
    """A Markdown table of messages a second, a package a row."""
    yield f"| package | {' | '.join(jobs)} |"
    yield "|---|" + "---:|" * len(jobs)
    for name, found in rates.items():
        if isinstance(found, str):
            yield f"| {name} | absent: {found} |" + " |" * (len(jobs) - 1)
        else:
            cells = (number(found[job]) if job in found else "" for job in jobs)
            yield f"| {name} | {' | '.join(cells)} |"


def number(value: float) -> str:
    """Three digits that matter."""
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.3g}" if value < 100 else f"{value:.0f}"


def show(value: float | None) -> str:
    """A ratio, or nothing."""
    return "" if value is None else f"{value:.2f}"


def plain(table: Table) -> dict[str, dict[str, dict[str, object]]]:
    """The table as JSON has it."""
    found: dict[str, dict[str, dict[str, object]]] = {}
    for (name, work), cell in table.items():
        values = {"rates": cell.rates, "costs": cell.costs, "failed": cell.failed}
        found.setdefault(work, {})[name] = {**values, "lost": cell.lost}
    return found


def picture(table: Table, names: Sequence[str], title: str) -> str:
    """An SVG of the rates: a group of bars a work, each work to its own scale."""
    every = (*WORKS, *DATAGRAMS, *DISTANT)
    works = [work for work in every if any((name, work.name) in table for name in names)]
    parts = [f'<text x="8" y="20" font-size="15">{escape(title)}</text>']
    y = _TOP
    for work in works:
        parts.append(f'<text x="8" y="{y}" font-weight="bold">{work.name}, {work.unit}</text>')
        rates = {
            name: table[name, work.name].rate() for name in names if (name, work.name) in table
        }
        top = max(rates.values(), default=0) or 1
        for name, rate in rates.items():
            y += _ROW
            colour = "#c2410c" if name.startswith("netrelay") else "#94a3b8"
            width = max(1, round(_BAR * rate / top))
            parts.append(f'<text x="{_LEFT - 6}" y="{y}" text-anchor="end">{escape(name)}</text>')
            parts.append(
                f'<rect x="{_LEFT}" y="{y - 10}" width="{width}" height="11" fill="{colour}"/>'
            )
            parts.append(f'<text x="{_LEFT + width + 5}" y="{y}">{number(rate)}</text>')
        y += 2 * _ROW
    style = 'font-family="sans-serif" font-size="11"'
    size = f'width="{_LEFT + _BAR + 80}" height="{y}"'
    body = "\n".join(parts)
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size} {style}>\n{body}\n</svg>\n'
