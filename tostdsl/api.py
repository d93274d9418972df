"""The functions behind the command line, for Python: they return values or raise `TostError`."""

from __future__ import annotations

import posixpath
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

from tostdsl import registry
from tostdsl.asked import from_outside, path_of, wrong
from tostdsl.compile.compiler import Compiled, PlanFile, compile_file, compile_kept, compile_source
from tostdsl.compile.fix import Fixed, apply_fixes
from tostdsl.compile.kept import kept_name
from tostdsl.compile.load import read
from tostdsl.compile.print import mask_line, print_plan
from tostdsl.compile.recipe import Recipe
from tostdsl.diagnostics import Diagnostic, TostError
from tostdsl.plan import stored
from tostdsl.plan.marker import PRINTED, RECIPE
from tostdsl.plan.plan import MaskPlan, Plan
from tostdsl.plan.program import Program, lowered
from tostdsl.source import Source
from tostdsl.syntax.format import format_text

if TYPE_CHECKING:
    from tostdsl.engine.checkup import Checkup
    from tostdsl.engine.export import Exported
    from tostdsl.engine.observer import Observer, Result
    from tostdsl.engine.resume import ResumeOptions
    from tostdsl.engine.run import RunOptions
    from tostdsl.engine.start import DataOptions
    from tostdsl.engine.verify import Verdict, VerifyOptions
    from tostdsl.plan.parting import Shared

__all__ = ["Compiled", "compile_file", "compile_source", "format_file", "load", "program", "run"]


def load(
    path: str | Path,
    sets: Mapping[str, str] | None = None,
    seed: int | None = None,
    set_file: Path | None = None,
) -> Plan:
    """The plan of a recipe file; `TostError` carries every mistake there is.

    One with sweeps stands for several plans and is refused (R831); `tostdsl.plans` gives all.
    """
    from_outside(sets, seed)
    return compile_file(path_of(path, "a recipe"), sets, seed, set_file).only(path)


def program(plan: Plan) -> Program | None:
    """The program of a plan, where its data's size is known without loading it."""
    return lowered(plan)


def plan_from_json(content: Mapping[str, object]) -> Plan:
    """The plan of its JSON, as `Plan.to_json` gives it and a run's plan.json has it under `plan`.

    `TypeError` for no mapping; `TostError` T270 where it holds no plan, T271 where it is one that
    this version cannot read, or of a plug-in that is not here.
    """
    if not isinstance(content, Mapping):
        raise wrong("a plan's JSON", "a mapping", content)
    try:
        return stored.plan_of(content, registry.find)
    except stored.NotHere as why:
        raise TostError.of("T271", path="the given JSON", reason=why) from None
    except stored.NoPlan as why:
        raise TostError.of("T270", path="the given JSON", reason=why) from None


def format_file(path: Path) -> tuple[Source, str | None, list[Diagnostic]]:
    """A file's text, its canonical layout (None when it has mistakes), and those."""
    source = read(path)
    text, found = format_text(source)
    return source, text, found


def fix(
    source: Source,
    path: Path | None = None,
    sets: Mapping[str, str] | None = None,
    look: bool = False,
    set_file: Source | None = None,
    seed: int | None = None,
) -> Fixed:
    """A recipe's text with its certain fixes applied, with `look` also those that need one.

    `path` is where the text lies, for `extends`. Nothing is written.
    """

    def check(text: Source) -> tuple[Diagnostic, ...]:
        return compile_source(text, path, sets, seed, set_file).diagnostics

    return apply_fixes(source, check, look)


def run(
    plan: Plan,
    options: RunOptions | None = None,
    observer: Observer | None = None,
    sources: Sequence[Source] = (),
    given: Mapping[str, Any] | None = None,
    begin_from: str | Path | None = None,
) -> Result:
    """Train a plan and write its run folder; `sources` are the texts it came from, top first.

    `given` is what was set from outside of them, as the function of that name tells; without it
    nobody can later tell the plan from the texts. With `begin_from`, the folder of a run, it begins
    at the newest checkpoint there that is one of the plan's, too, and ends with the same bits;
    `TostError` R710 where none is.
    """
    if begin_from is not None:
        from tostdsl.engine.branch import branch

        path, kept = Path(begin_from), texts(plan, sources)
        return branch(plan, path, options, observer, kept, given, compared=_shared, words=_words)
    from tostdsl.engine.run import run as engine_run

    return engine_run(plan, options, observer, texts(plan, sources), given)


def refuse_apart(plan: Plan, folder: str | Path) -> None:
    """Refuse a run that can begin nowhere in the run in a folder, as far as the two plans tell.

    `TostError` R710 says in what they differ from the first step on.
    """
    from tostdsl.engine.branch import refuse_apart as engine_refuse

    engine_refuse(plan, path_of(folder, "a run's folder"), _shared, _words)


def resume(
    folder: str | Path,
    options: ResumeOptions | None = None,
    observer: Observer | None = None,
    edited: Sequence[Plan] | None = None,
) -> Result:
    """Go on with the run in a folder from its newest sound checkpoint.

    `edited` are plans of which one must mean the same as the run's, else `TostError` R709.
    """
    from tostdsl.engine.resume import resume as engine_resume

    return engine_resume(
        path_of(folder, "a run's folder"), options, observer, _recompiled, edited, words=_words
    )


def _words(one: Plan, other: Plan) -> list[str]:
    """What changes from one plan to another, as `tost diff` names it."""
    from tostdsl.compare.changes import changes

    return list(map(str, changes(one, other)))


def _shared(a: Plan, b: Plan, programs: tuple[Program | None, Program | None]) -> Shared:
    """Up to where states of one plan are those of another, as `tost diff` tells it."""
    from tostdsl.compare.changes import changes
    from tostdsl.compare.verdicts import shared

    return shared(changes(a, b), programs)


def given(
    recipe: Recipe, seed: int | None = None, plan_file: PlanFile | None = None
) -> dict[str, Any]:
    """What a compiled recipe was given from outside: `params` by name as texts, and the `seed`.

    With `plan_file` it was no recipe, but that saved plan, which is then told by name and SHA-256.
    """
    outside = {
        name: value.value.span.text
        for name, value in recipe.params.items()
        if value.by in ("--set", "--set-file")
    }
    saved = {"plan_file": asdict(plan_file)} if plan_file is not None else {}
    return {"params": outside, "seed": seed, **saved}


def checkup(
    plan: Plan,
    data: DataOptions | None = None,
    device: str = "auto",
    *,
    allow_code: bool = False,
    say: Callable[[str], None] | None = None,
) -> Checkup:
    """Choose the mask of a plan without training, and look at its health.

    Layer collapse is among the findings; `TostError` for whatever keeps the mask from being chosen,
    T550 for Python code that the plan names unless `allow_code` lets it run. What the method tells
    goes to `say` at once.
    """
    from tostdsl.engine.checkup import checkup as engine_checkup

    return engine_checkup(plan, data, device, allow_code=allow_code, say=say)


def checkup_run(folder: Path, *, allow_code: bool = False) -> Checkup:
    """The health of a finished run's mask and weights; `TostError` if it holds none.

    T550 for Python code that the plan names unless `allow_code` lets it run.
    """
    from tostdsl.engine.checkup import checkup_run as engine_checkup_run

    return engine_checkup_run(folder, allow_code=allow_code)


def verify(folder: str | Path, options: VerifyOptions | None = None) -> Verdict:
    """Repeat a run's certificate from the files of its folder; `TostError` if it holds no run."""
    from tostdsl.engine.verify import verify as engine_verify

    return engine_verify(path_of(folder, "a run's folder"), options, _recompiled)


def export_masks(folder: Path, out: Path | None = None) -> tuple[Exported, str]:
    """Write the masks of a run to a file; what was written, and the statement that uses it.

    `TostError` as `engine.export.export` tells.
    """
    from tostdsl.engine.export import export
    from tostdsl.masks.file import File

    done = export(folder, out)
    mask = done.plan.mask
    assert mask is not None
    method = File(path=done.path.as_posix(), sha256=done.sha256, allow=mask.method.allow)
    return done, mask_line(MaskPlan(method=method, targets=mask.targets))


def _recompiled(path: Path, sets: Mapping[str, str], seed: int | None) -> tuple[Plan, ...]:
    """The plans of a recipe of a run folder; `TostError` with every mistake."""
    return compile_kept(path, sets, seed).plans


def texts(plan: Plan, sources: Sequence[Source]) -> dict[str, str]:
    """What a run folder keeps of a recipe: its files as they were, and the plan as one recipe.

    The top recipe is `recipe.tost`, and what it extends lies where it finds it. Where one of those
    would lie in the place of a file of the run, or outside of the folder, all of them lie in
    `recipe/` under names of their own, and only `plan.tost` can be run again.
    """
    printed, _ = format_text(Source(PRINTED, print_plan(plan)))
    kept = {PRINTED: printed or print_plan(plan)}
    if sources:
        kept[RECIPE] = sources[0].written
    extended = [(_from_top(source, sources[0]), source) for source in sources[1:]]
    paths = {path for path, _ in extended}
    numbered = len(paths) < len(extended) or not all(map(_free, paths))
    for index, (path, source) in enumerate(extended, 1):
        kept[kept_name(index, path) if numbered else path] = source.written
    return kept


def _from_top(source: Source, top: Source) -> str:
    """The path of an extended file from the folder of the top recipe, as it is written."""
    folder = posixpath.dirname(top.name.replace("\\", "/"))
    return posixpath.relpath(source.name.replace("\\", "/"), folder or ".")


_OWN = (".json", ".jsonl", ".safetensors", ".tost")
"""How the names of a run's own files end."""


def _free(path: str) -> bool:
    """Whether a run folder has no file of its own there: they are two recipes, and data."""
    first, *below = PurePosixPath(path).parts
    if below:
        return first != ".." and not first.casefold().endswith(_OWN)
    return first.endswith(".tost") and first.casefold() not in (RECIPE, PRINTED)


__all__ += [
    "Fixed",
    "TostError",
    "checkup",
    "checkup_run",
    "export_masks",
    "fix",
    "format_text",
    "given",
    "plan_from_json",
    "resume",
    "verify",
]
