"""Text to plan: values, defaults, composition, and a message for each mistake."""

from __future__ import annotations

from pathlib import Path

import pytest

from tostdsl import registry
from tostdsl.compile.compiler import Compiled, compile_file, compile_source
from tostdsl.compile.print import print_plan
from tostdsl.plan.plan import Plan
from tostdsl.source import Source
from tostdsl.units import Duration

BASE = """\
model resnet20
data cifar10(batch=128)
mask random(sparsity=90%)
train for 180 epochs
"""


def compiled(text: str, **sets: str) -> Compiled:
    return compile_source(Source("r.tost", text), None, sets)


def plan(text: str, **sets: str) -> Plan:
    (one,) = compiled(text, **sets).plans
    return one


def mistakes(text: str, **sets: str) -> list[tuple[str, int, str]]:
    """Code, line and underlined text of each diagnostic."""
    found = []
    for diagnostic in compiled(text, **sets).diagnostics:
        span = diagnostic.span
        found.append((diagnostic.code, span.line if span else 0, span.text if span else ""))
    return found


def test_defaults_are_filled_in() -> None:
    """What a recipe leaves out is in its plan."""
    made = plan(BASE)
    assert ("sgd", "cosine", 0, "fp32") == (
        made.optimizer.name,
        made.schedule.name,
        made.seed,
        made.precision,
    )
    assert Duration("epochs", 180) == made.train
    assert made.mask is not None
    assert "on conv, linear" == str(made.mask.targets)


@pytest.mark.parametrize(
    "text",
    [
        BASE + "ghost(width=2x) until epoch 40 # a comment\n",
        "ghost(width=2x) until epoch 40\n" + BASE,
        BASE + "ghost(\n    width=2x,\n)   until    epoch 40\n",
        BASE + "ghost(anneal=exponential, width=2.0x) from epoch 0 until epoch 40\n",
        BASE + "ghost(width=2x) for 40 epochs\nseed 0\nprecision fp32\n",
        'recipe other "title"\nparam w = 2x\n' + BASE + "ghost(width=$w) until epoch 40\n",
    ],
)
def test_fingerprint_ignores_what_is_not_computed(text: str) -> None:
    """Comments, order, layout, spelled-out defaults, names and params leave the fingerprint."""
    assert plan(BASE + "ghost(width=2x) until epoch 40\n").fingerprint == plan(text).fingerprint


@pytest.mark.parametrize(
    "text",
    [
        BASE.replace("90%", "91%"),
        BASE.replace("180", "181"),
        BASE.replace("resnet20", "resnet32"),
        BASE + "seed 1\n",
        BASE + "precision bf16\n",
        BASE + "labels(smoothing=0.1)\n",
        BASE.replace("(sparsity=90%)", "(sparsity=90%) except last"),
    ],
)
def test_fingerprint_sees_what_is_computed(text: str) -> None:
    """Whatever changes what is computed changes the fingerprint."""
    assert plan(BASE).fingerprint != plan(text).fingerprint


def test_fraction_is_taken_for_a_percent_with_a_warning() -> None:
    """`0.9` means `90%` and says so."""
    text = BASE.replace("90%", "0.9")
    assert [("W001", 3, "0.9")] == mistakes(text)
    assert plan(BASE).fingerprint == plan(text).fingerprint


def test_plan_json_reads_back() -> None:
    """A plan's JSON gives the same plan."""
    made = plan(BASE + 'ghost(width=2x) until 33%\nskip(anneal=step(at=[50%])) on "layer1"\n')
    assert made == Plan.from_json(made.to_json(), registry.get)


def test_printed_plan_reads_back() -> None:
    """A printed plan gives the same plan."""
    made = plan(
        BASE
        + "ghost(width=2x) until 33%\nskip from 10% for 30 steps on linear except first\n"
        + "labels(smoothing=0.1 -> 0) from 10%\ninit(rescale=fanin_masked)\n"
        + "expect accuracy >= 94%\nexpect loss < 0.5\n"
    )
    assert made == plan(print_plan(made))


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("ghots(width=2x)", ("T201", 5, "ghots")),
        ("ghost(widht=2x)", ("T203", 5, "widht")),
        ("ghost(width=2)", ("T305", 5, "2")),
        ("ghost(width=2x, width=3x)", ("T206", 5, "width=3x")),
        ("ghost(2x)", ("T211", 5, "2x")),
        ("ghost(activation=swich)", ("T304", 5, "swich")),
        ("labels(smoothing=1.5)", ("T303", 5, "1.5")),
        ("labels(smoothing=90%)", ("T305", 5, "90%")),
        ("ghost(width=2x) until epoch 400", ("T401", 5, "epoch 400")),
        ("ghost(width=2x) until 120%", ("T401", 5, "120%")),
        ("ghost(width=2x) until step 99999999", ("T401", 5, "until step 99999999")),
        ("ghost(width=2x) from epoch 9 until epoch 9", ("T402", 5, "from epoch 9 until epoch 9")),
        ("ghost(width=2x) from epoch 9 until epoch 3", ("T431", 5, "from epoch 9 until epoch 3")),
        ("ghost(width=2x) until tomorrow", ("T403", 5, "tomorrow")),
        ("ghost(width=2x) until 40 epochs", ("T305", 5, "40 epochs")),
        ("ghost(width=2x) until 40", ("T305", 5, "40")),
        ("ghost(width=2x) for epoch 40", ("T305", 5, "epoch 40")),
        ("ghost(width=2x) until epoch 4 for 2 epochs", ("T406", 5, "for 2 epochs")),
        ("ghost(width=2x) at epoch 4 until epoch 5", ("T407", 5, "at epoch 4")),
        ("ghost(width=2x) at epoch 4", ("T408", 5, "at epoch 4")),
        ("init(rescale=fanin_masked) until epoch 4", ("T405", 5, "until epoch 4")),
        ("labels(smoothing=0.1) on conv", ("T410", 5, "conv")),
        ("skip on cnov", ("T201", 5, "cnov")),
        ('skip on "layer9.*"', ("T501", 5, '"layer9.*"')),
        ("skip(anneal=none) until epoch 9", ("W002", 5, "none")),
        ("skip(anneal=none)", ("T432", 5, "none")),
        ("seed 1.5", ("T301", 5, "1.5")),
        ("seed -1", ("T303", 5, "-1")),
        ("precision fp8", ("T304", 5, "fp8")),
        ("train for 10 epochs", ("T205", 5, "train for 10 epochs")),
        ("modle resnet20", ("T202", 5, "modle")),
        ("ghost(width=$w)", ("T204", 5, "$w")),
        ("param x = 3", ("W003", 5, "param x = 3")),
        ("without ghost", ("T220", 5, "without ghost")),
        ("expect acuracy >= 1%", ("T312", 5, "acuracy")),
        ("expect accuracy >= 94", ("T302", 5, "94")),
        ("tost 2", ("T218", 5, "2")),
        ('extends "https://example.org/a.tost"', ("T216", 5, '"https://example.org/a.tost"')),
        ("optimizer sgd(lr=-1)", ("T303", 5, "-1")),
        ("optimizer sgd until epoch 3", ("T409", 5, "until epoch 3")),
        ("schedule multistep(at=[epoch 900])", ("T412", 5, "[epoch 900]")),
        ("schedule cosine(warmup=200 epochs)", ("T413", 5, "200 epochs")),
        ("skip on conv except conv", ("T502", 5, "conv except conv")),
        ("optimizer sgd(lr=1 -> 0)", ("T307", 5, "1 -> 0")),
        ("sweep seed over 3", ("T301", 5, "3")),
        ("ghost(width=99999999999999999999x)", ("T306", 5, "99999999999999999999x")),
    ],
)
def test_one_mistake_one_report(line: str, expected: tuple[str, int, str]) -> None:
    """Each mistake gives its one report, at its place."""
    assert [expected] == mistakes(BASE + line + "\n")


def test_rewind_must_lie_inside_a_round() -> None:
    """A lottery cannot go back to a moment its rounds never reach."""
    text = BASE.replace("random(sparsity=90%)", "lottery(sparsity=90%, rewind=epoch 200)")
    assert [("T412", 3, "epoch 200")] == mistakes(text)


def test_percent_without_sign_is_fixed() -> None:
    """`sparsity=90` says to write `90%`, and carries that as a certain fix."""
    (found,) = compiled(BASE.replace("90%", "90")).diagnostics
    assert ("T302", "write `90%`") == (found.code, found.help)
    assert found.fix is not None
    assert ("90%", True) == (found.fix.edits[0].text, found.fix.certain)


def test_window_past_the_end_shows_both_places() -> None:
    """The window and the `train` line are both underlined, and what would fit is named."""
    (found,) = compiled(BASE + "ghost(width=2x) until epoch 400\n").diagnostics
    assert ["epoch 400", "train for 180 epochs"] == [label.span.text for label in found.labels]
    assert found.help is not None
    assert "epoch 180" in found.help


def test_conflicting_stages_show_both() -> None:
    """Two stages with one claim over overlapping windows underline each other."""
    (found,) = compiled(
        BASE + "labels(smoothing=0.1)\nlabels(smoothing=0.2) from epoch 3\n"
    ).diagnostics
    assert ("T404", 2) == (found.code, len(found.labels))


def test_stages_that_follow_one_another_do_not_conflict() -> None:
    """A claim may be handed on at a window's end."""
    text = BASE + "labels(smoothing=0.1) until epoch 9\nlabels(smoothing=0.2) from epoch 9\n"
    assert [] == mistakes(text)


def test_missing_statements_are_named_together() -> None:
    """An empty recipe lacks a model, data and a length."""
    assert ["T208"] * 3 == [code for code, _, _ in mistakes("seed 1\n")]


def test_a_broken_line_is_not_reported_missing_too() -> None:
    """One mistake, one report: a model line that cannot be read is not also missing."""
    text = BASE.replace("model resnet20", "model resnet20(width=+2x)")
    assert ["T144"] == [code for code, _, _ in mistakes(text)]


def test_three_mistakes_give_three_reports() -> None:
    """Independent mistakes are all reported in one run."""
    text = BASE.replace("resnet20", "resnet20(") + "ghots(width=2x)\nskip until epoch 400\n"
    assert ["T102", "T201", "T401"] == [code for code, _, _ in mistakes(text)]


def test_set_changes_a_param() -> None:
    """`--set` replaces a param's value."""
    text = BASE.replace("90%", "$s") + "param s = 90%\n"
    assert plan(BASE.replace("90%", "95%")).fingerprint == plan(text, s="95%").fingerprint


@pytest.mark.parametrize(
    ("name", "value", "code"), [("t", "1", "T212"), ("s", "5", "T301"), ("s", "5% 6%", "T101")]
)
def test_bad_set_is_refused(name: str, value: str, code: str) -> None:
    """An unknown name, another type and more than one value are refused."""
    text = BASE.replace("90%", "$s") + "param s = 90%\n"
    assert [code] == [found for found, _, _ in mistakes(text, **{name: value})]


def test_set_value_is_blamed_where_it_is_used() -> None:
    """A value from `--set` that does not fit shows its use and where it came from."""
    text = BASE.replace("90%", "$s") + "param s = 90%\n"
    (found,) = compiled(text, s="100%").diagnostics
    assert "T303" == found.code
    assert any("--set" in label.text for label in found.labels)


def test_sweep_stands_for_every_combination() -> None:
    """Two sweeps make the product of their values."""
    text = BASE.replace("90%", "$s") + "param s = 1%\nsweep s over [80%, 90%]\n"
    result = compiled(text + "sweep seed over [1, 2, 3]\n")
    assert 6 == len({made.fingerprint for made in result.plans})


def test_sweep_too_large_is_refused() -> None:
    """A sweep of more than a thousand runs is refused."""
    seeds = ", ".join(map(str, range(1001)))
    assert "T310" in [code for code, _, _ in mistakes(BASE + f"sweep seed over [{seeds}]\n")]


def write(folder: Path, **files: str) -> Path:
    for name, text in files.items():
        (folder / f"{name}.tost").write_text(text)
    return folder / "top.tost"


def test_extends_keeps_and_replaces(tmp_path: Path) -> None:
    """Inherited statements hold unless they are said again; `without` takes stages out."""
    top = write(
        tmp_path,
        base=BASE + "ghost(width=2x) until epoch 4\nlabels(smoothing=0.1)\n",
        top='extends "base.tost"\nwithout ghost\nmask random(sparsity=50%)\nskip until epoch 3\n',
    )
    (made,) = compile_file(top).plans
    same = BASE.replace("90%", "50%") + "labels(smoothing=0.1)\nskip until epoch 3\n"
    assert plan(same).fingerprint == made.fingerprint


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ('extends "missing.tost"\n', "T213"),
        ('extends "top.tost"\n', "T214"),
        ('extends "../outside.tost"\n', "T215"),
        ('extends "/etc/passwd"\n', "T260"),
        ('extends "base.tost"\nwithout ghots\n', "T210"),
        ('extends "base.tost" sha256 "00"\n', "T217"),
    ],
)
def test_bad_extends_is_refused(tmp_path: Path, text: str, code: str) -> None:
    """What cannot be extended is named at the statement."""
    (tmp_path / "outside.tost").write_text(BASE)
    inner = tmp_path / "inner"
    inner.mkdir()
    found = compile_file(write(inner, base=BASE + "skip\n", top=text)).diagnostics
    assert code in [diagnostic.code for diagnostic in found]


def test_unreadable_file_is_a_diagnostic(tmp_path: Path) -> None:
    """A missing file and one that is not UTF-8 are named, not raised."""
    bad = tmp_path / "bad.tost"
    bad.write_bytes(b"model \xff\n")
    assert ["T213"] == [d.code for d in compile_file(tmp_path / "none.tost").diagnostics]
    assert ["T106"] == [d.code for d in compile_file(bad).diagnostics]
