"""Put what was measured into tests/figures.json, and as a table into tests/README.md: `make figures`.

It takes what the tests printed when `make release-check` ran them with whole counts, what `make bench` measured, and
what became of the mutants of `make mutants`. What was not measured anew stays as it is.
"""

import json
import os
import platform
from datetime import UTC, datetime
from pathlib import Path

ROOT = Path(__file__).parents[1]
KEPT, SHOWN = ROOT / "tests" / "figures.json", ROOT / "tests" / "README.md"
PRINTED = ROOT / "build" / "printed.json"  # tests/conftest.py writes it
BENCH = ROOT / "build" / "bench.json"
MUTANTS = ROOT / "mutants" / "mutmut-cicd-stats.json"
HEADING = "\n## Figures\n"


def main() -> None:
    figures = json.loads(KEPT.read_text(encoding="utf-8"))
    for command, path, said in (
        ("`make release-check`", PRINTED, figures_in),
        ("`make bench`", BENCH, bars),
        ("`make mutants`", MUTANTS, mutants),
    ):
        if path.exists():
            when = datetime.fromtimestamp(path.stat().st_mtime, UTC).date().isoformat()
            where = f"{os.cpu_count()} cores, Python {platform.python_version()}"
            figures[command] = {"measured": when, "where": where, "said": said(json.loads(path.read_text()))}
    KEPT.write_text(json.dumps(figures, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    before, heading, _ = SHOWN.read_text(encoding="utf-8").partition(HEADING)
    SHOWN.write_text(before + heading + table(figures), encoding="utf-8")


def figures_in(found: dict) -> dict[str, str]:
    """What the tests printed, but for texts to be read, such as every sentence that a lab can say."""
    return {what: said for what, said in found.items() if len(said) < 1000}


def bars(found: dict) -> dict[str, str]:
    """What `make bench` holds against a limit."""
    each = [bar for part in found.values() if isinstance(part, dict) for bar in part.get("bars", [])]
    return {bar["what"]: in_words(**bar) for bar in each}


def in_words(what: str, measured: float, limit: float, at_least: bool, met: bool) -> str:
    return f"{measured:.3g}, {'at least' if at_least else 'at most'} {limit:g}{', **missed**' * (not met)}"


def mutants(found: dict) -> dict[str, str]:
    return {"mutants": ", ".join(f"{number:,} {kind.replace('_', ' ')}" for kind, number in found.items() if number)}


def table(figures: dict) -> str:
    """The figures in Markdown."""
    lines = ["", "Written by `make figures`.", "", "| what | figure | measured by |", "|---|---|---|"]
    for command, found in figures.items():
        by = f"{command}, {found['measured']}, {found['where']}"
        lines += [f"| {what} | {' '.join(said.split())} | {by} |" for what, said in found["said"].items()]
    return "\n".join([*lines, ""])


if __name__ == "__main__":
    main()
