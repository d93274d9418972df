"""How fast the language is, as ratios within one run: `python benchmarks/language.py [--smoke]`.

Cold starts are measured in turn, so that a busy machine slows both sides alike, with bytecode
written beforehand as an installation has it. Times are of the processor, the least of several.
Writes benchmarks/results/language.md; `--smoke` measures little and writes nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from time import process_time

ROOT = Path(__file__).parents[1]
RECIPE = ROOT / "recipes" / "resnet18_lth.tost"
RESULTS = ROOT / "benchmarks" / "results" / "language.md"
SIZES = (30, 300, 3_000, 30_000)

IMPORTS = "import lark, pydantic, click"
CHECK = f"""
import sys
sys.argv = ["tost", "check", {str(RECIPE)!r}]
from tostdsl.cli.start import script
script()
"""
LOADED = f"""
import json, sys
from tostdsl.cli.main import tost
for words in (["check"], ["plan"], ["fmt", "--check"], ["list"], ["explain", "ghost"]):
    recipe = [] if words[0] in ("list", "explain") else [{str(RECIPE)!r}]
    try:
        tost.main([*words, *recipe], standalone_mode=False)
    except SystemExit:
        pass
print(json.dumps([m for m in ("torch", "torchvision", "numpy") if m in sys.modules]))
"""


@dataclass(frozen=True)
class Row:
    """One ratio with what it is of, and the figure it should stay below."""

    what: str
    measured: str
    ratio: str
    target: str


def cold(code: str, folder: str) -> float:
    """Seconds of processor time of a new interpreter."""
    environment = {**os.environ, "PYTHONPYCACHEPREFIX": folder, "PYTHONDONTWRITEBYTECODE": ""}
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run(
        [sys.executable, "-c", code], check=True, stdout=subprocess.DEVNULL, env=environment
    )
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


def starts(times: int) -> Row:
    """A cold `tost check` against the cold imports of what it stands on."""
    with tempfile.TemporaryDirectory() as folder:
        for code in (IMPORTS, CHECK):
            cold(code, folder)
        pairs = [(cold(IMPORTS, folder), cold(CHECK, folder)) for _ in range(times)]
    base, check = (min(side) for side in zip(*pairs, strict=True))
    measured = f"{check * 1e3:.0f} ms against {base * 1e3:.0f} ms"
    return Row(f"cold `tost check`: `{IMPORTS}`", measured, f"{check / base:.2f}", "2")


def recipe(lines: int) -> str:
    """A sound recipe of so many lines: stages with windows, params, comments, empty lines."""
    forms = (
        "skip from step {i} for 1 step",
        "labels(smoothing=0.1) from step {i} for 1 step",
        "param a{i} = {i}%",
        "# line {i}",
        "",
    )
    text = ["model resnet20", "data cifar10", f"train for {lines + 1} steps"]
    text += [forms[i % len(forms)].format(i=i) for i in range(lines - len(text))]
    return "\n".join(text) + "\n"


def least(work: Callable[[], object], times: int) -> float:
    """The least processor time of several runs."""
    best = float("inf")
    for _ in range(times):
        before = process_time()
        work()
        best = min(best, process_time() - before)
    return best


def growth(sizes: tuple[int, ...], times: int) -> list[Row]:
    """Microseconds a line of parsing, of parsing and lowering, and of formatting."""
    from tostdsl.compile.compiler import compile_source
    from tostdsl.source import Source
    from tostdsl.syntax.format import format_text
    from tostdsl.syntax.parser import parse

    def lower(source: Source) -> None:
        assert not compile_source(source).errors

    works: dict[str, Callable[[Source], object]] = {
        "parse": parse,
        "parse and lower": lower,
        "format": format_text,
    }
    a_line: dict[str, list[float]] = {name: [] for name in works}
    for size in sizes:
        source = Source("made.tost", recipe(size))
        for name, work in works.items():
            runs = max(1, min(times * 20, times * 3_000 // size))
            seconds = least(lambda work=work, source=source: work(source), runs)  # type: ignore[misc]
            a_line[name].append(seconds / size * 1e6)
    rows = []
    for name in ("parse", "parse and lower"):
        shown = ", ".join(f"{each:.0f}" for each in a_line[name])
        ratio = a_line[name][-1] / a_line[name][1]
        what = f"{name}: a line of {sizes[-1]:,} against one of {sizes[1]:,}"
        rows.append(
            Row(what, f"{shown} µs a line at {', '.join(map(str, sizes))}", f"{ratio:.2f}", "1.5")
        )
    pairs = zip(a_line["format"], a_line["parse"], strict=True)
    ratios = [formatted / parsed for formatted, parsed in pairs]
    shown = ", ".join(f"{ratio:.2f}" for ratio in ratios)
    rows.append(
        Row("format: parse", f"{shown} at {', '.join(map(str, sizes))}", f"{max(ratios):.2f}", "3")
    )
    return rows


def loaded() -> Row:
    """The heavy libraries that language commands load."""
    done = subprocess.run(
        [sys.executable, "-c", LOADED], check=True, capture_output=True, text=True
    )
    modules = json.loads(done.stdout.splitlines()[-1])
    return Row(
        "torch, torchvision, numpy loaded by language commands",
        ", ".join(modules) or "none",
        str(len(modules)),
        "1",
    )


def table(rows: list[Row]) -> str:
    """The rows as Markdown."""
    lines = ["| ratio | measured | value | target |", "| --- | --- | --- | --- |"]
    lines += [f"| {r.what} | {r.measured} | **{r.ratio}** | below {r.target} |" for r in rows]
    return "\n".join(lines) + "\n"


def main() -> None:
    """Measure, print, and keep the figures."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--smoke", action="store_true", help="measure little, write nothing")
    smoke = parser.parse_args().smoke
    sizes, times = ((10, 30, 100, 300), 1) if smoke else (SIZES, 5)
    rows = [starts(1 if smoke else 15), *growth(sizes, times), loaded()]
    shown = table(rows)
    print(shown)
    if smoke:
        return
    RESULTS.parent.mkdir(exist_ok=True)
    version = ".".join(map(str, sys.version_info[:3]))
    head = f"# The language's speed\n\n2 cores, CPU, Python {version}. As measured by "
    head += "`python benchmarks/language.py`.\n\n"
    RESULTS.write_text(head + shown, encoding="utf-8")


if __name__ == "__main__":
    main()
