"""A run's certificate, repeated from the files of its folder and nothing else.

What is looked at, a group a line:

files        each file is as it was written, by the manifest
plan         plan.json has its fingerprint, and recipe.tost and plan.tost mean the same
network      the plan's plain architecture takes model.safetensors, strictly; nothing else is there,
             and its statistics have seen as many batches as the run has steps
masks        they are of the plan's layers, of its sparsity, and the model is zero where they are
ghosts       if the plan keeps stages they take ghosts.safetensors strictly; only with leave
outputs      the network computes what the trained one computed (`reference`)
figures      result.json, metrics.jsonl and the certificate tell one story: which epochs, at which
             learning rates and weights, where stages left and at what cost; a trace is there if
             the run was traced, of this plan's steps, and its picture is that of its rows
certificate  every check that the plan calls for is there, and passed; the jumps are the plan's
accuracy     on request: the test accuracy comes out again, with what the plan keeps and without

Where the plan names code of the user's own, only leave to run that lets the network be built; that
its file has changed is a note, since what it computes is looked at anyway.

Two kinds of damage are told apart. A file that changed after the run is caught by its checksum;
a folder made up with checksums that fit is caught where it contradicts itself, its plan or its
network. Nothing is unpickled, and no code of the folder runs; the plan's names come from the
registry, or with leave from the user's own modules.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tostdsl.diagnostics import Diagnostic, TostError, brief
from tostdsl.engine.blobs import FOLDER as BLOBS
from tostdsl.engine.checkpoint import Checkpoints
from tostdsl.engine.folder import LIVES
from tostdsl.engine.lock import NAME as LOCK
from tostdsl.engine.manifest import MANIFEST, Entry, digests, gap, others
from tostdsl.engine.reference import FILE as OUTPUTS
from tostdsl.engine.start import sources_of
from tostdsl.engine.verify import accuracies, figures, lives, traces, weights
from tostdsl.engine.verify.evidence import Evidence, Group, Verdict
from tostdsl.engine.verify.parts import batches, parts_of
from tostdsl.engine.verify.plans import plan_of
from tostdsl.engine.verify.records import (
    Given,
    StoredCertificate,
    StoredEnd,
    StoredEnvironment,
    StoredPlan,
    StoredResult,
    Unfit,
    read_lines,
    read_manifest,
    read_record,
)
from tostdsl.plan.code import refuse_code
from tostdsl.plan.marker import CHECKPOINTS, MARKER, METRICS, PRINTED, RECIPE, unended
from tostdsl.plan.plan import Plan

RESULT, CERTIFICATE, ENVIRONMENT = "result.json", "certificate.json", "environment.json"
ALWAYS = (
    MARKER, ENVIRONMENT, METRICS, LIVES, weights.MASKS, weights.MODEL, OUTPUTS, CERTIFICATE, RESULT,
)  # fmt: skip
"""What every run writes."""
TEXTS = (RECIPE, PRINTED)
"""What a run writes that was started from a recipe."""
Recompile = Callable[[Path, Mapping[str, str], int | None], tuple[Plan, ...]]
"""Plans of a recipe of a run folder, given its path, params and seed; `TostError` for mistakes."""


@dataclass(frozen=True, slots=True)
class VerifyOptions:
    """What to look at beyond the rule, and what to let pass."""

    allow_ghosts: bool = False
    """Let pass what the recipe keeps (`keep=yes`), though the run had no leave to."""
    evaluate: bool = False
    """Measure the test accuracy again."""
    data_root: Path | None = None
    """Where data sets lie, for that."""
    allow_code: bool = False
    """Whether Python code that the plan names may be imported and called (`plan.code`)."""

    @property
    def measures(self) -> bool:
        """Whether the test accuracy is measured again."""
        return self.evaluate or self.data_root is not None


def verify(folder: Path, options: VerifyOptions | None, recompile: Recompile) -> Verdict:
    """Verify a run folder.

    `TostError`: R411 when it is none, R412 when its run never came to its end.
    """
    try:
        empty = not any((folder / name).exists() for name in (*ALWAYS, MANIFEST))
        reason = "" if folder.is_dir() else "there is no such folder"
    except (OSError, ValueError) as error:
        empty, reason = True, (getattr(error, "strerror", None) or str(error)).lower()
    if empty:
        raise TostError.of("R411", path=folder, reason=reason or "none of a run's files is there")
    return _Verification(folder, options or VerifyOptions(), recompile).run()


@dataclass(slots=True)
class _Verification:
    folder: Path
    options: VerifyOptions
    recompile: Recompile
    groups: list[Group] = field(default_factory=list)
    known: dict[str, Entry] = field(default_factory=dict)
    """What the manifest names."""
    edited: set[str] = field(default_factory=set)
    """Texts of the recipe that are not as they were written: their meaning decides."""

    def run(self) -> Verdict:
        """Look at everything that can be looked at."""
        self._ended()
        self._files()
        stored = self._record(self._group("plan"), MARKER, StoredPlan)
        plan, refused = self._plan(stored) if stored else (None, ())
        evidence = self._evidence(plan) if plan is not None else None
        if plan is not None and stored is not None:
            self._texts(plan, stored.given)
        if evidence is not None and not refused:
            refused = self._code(evidence)
        if evidence is not None and not refused:
            self._judge(evidence)
        elif not refused:
            self.groups[-1].notes.append("the rest was not looked at: it needs what failed above")
        unreal = evidence.certificate.unreal if evidence is not None else ""
        return Verdict(
            self.folder, tuple(self.groups), plan.fingerprint if plan else "", unreal, refused
        )

    def _group(self, name: str) -> Group:
        found = next((group for group in self.groups if group.name == name), None)
        if found is None:
            found = Group(name)
            self.groups.append(found)
        return found

    def _record(self, group: Group, name: str, form: Any) -> Any:
        """A file as a record; None where it is not one, which is taken down once."""
        try:
            return read_record(self.folder / name, form)
        except Unfit as why:
            told = any(check.name == name for each in self.groups for check in each.failures)
            if not told:
                group.check(name, False, str(why))
            return None

    def _written(self) -> set[str]:
        """Names of the files that the run wrote; without a manifest, of those that are there."""
        names = (traces.FILE, traces.PICTURE)
        return set(self.known) or {name for name in names if (self.folder / name).exists()}

    # -- groups

    def _ended(self) -> None:
        """`TostError` R412 for a run that failed, was interrupted, or is still at work."""
        try:
            end = read_record(self.folder / RESULT, StoredEnd)
        except Unfit:
            if (self.folder / RESULT).exists() or (self.folder / MANIFEST).exists():
                return  # it ended, and the file says so or is damaged
            reason = f"there is no `{RESULT}`, so it is still at work or was killed"
            raise unended(self.folder, reason) from None
        if not (self.folder / MANIFEST).exists():
            raise unended(self.folder, _ended(end))

    def _files(self) -> None:
        group = self._group("files")
        try:
            known = self.known = read_manifest(self.folder / MANIFEST)
        except Unfit as why:
            group.check(MANIFEST, False, str(why))
            return
        for name in ALWAYS:
            if name not in known:
                group.check(name, False, f"is not in {MANIFEST}, though every run writes it")
        for name, entry in known.items():
            what = gap(self.folder, name, entry)
            if what and (name in TEXTS or name.startswith("recipe/")) and what != "is missing":
                self.edited.add(name)
            else:
                group.check(name, not what, what or "as it was written")
        present = {name for name in TEXTS if (self.folder / name).exists()}
        self.edited |= present - set(known)
        group.said = _as_written(len(known), sorted(self.edited & set(known)))
        for each in Checkpoints(self.folder).newest()[1]:
            group.check(f"{CHECKPOINTS}/{each.name}", False, f"cannot be used: {each.reason}")
        known_too = (f"{CHECKPOINTS}/", f"{BLOBS}/", LOCK)
        if more := [
            name
            for name in others(self.folder, known)
            if name not in present and not name.startswith(known_too)
        ]:
            shown = ", ".join(more[:3]) + (", …" if len(more) > 3 else "")
            group.notes.append(f"not of the run, and not looked at: {shown}")

    def _plan(self, stored: StoredPlan) -> tuple[Plan | None, tuple[Diagnostic, ...]]:
        group = self._group("plan")
        try:
            plan = plan_of(stored.plan)
        except TostError as error:
            return None, error.diagnostics
        except Unfit as why:
            group.check(MARKER, False, str(why))
            return None, ()
        right = plan.fingerprint == stored.fingerprint
        said = f"says {stored.fingerprint[:8]}, what stands in it is {plan.short}"
        group.check(MARKER, right, f"is plan {plan.short}" if right else said)
        return plan, ()

    def _texts(self, plan: Plan, given: Given | None) -> None:
        """The recipe's texts mean the plan; where they were edited they must still."""
        group, agree = self._group("plan"), [MARKER]
        wrong = False
        for name in TEXTS:
            if not (self.folder / name).exists():
                if name == RECIPE:
                    saved = given.plan_file if given is not None else None
                    start = f"the saved plan `{saved.name}`" if saved is not None else "Python"
                    group.notes.append(f"no recipe lies in it: the run was started from {start}")
                continue
            outside = given if given is not None and name == RECIPE else None
            params, seed = (outside.params, outside.seed) if outside else ({}, None)
            try:
                plans = self.recompile(self.folder / name, params, seed)
            except TostError as error:
                first = next(d for d in error.diagnostics if d.severity == "error")
                group.check(name, False, f"does not compile: {first.code}: {first.message}")
                wrong = True
                continue
            same = [
                p for p in plans if (p.fingerprint, p.expect) == (plan.fingerprint, plan.expect)
            ]
            if not same and given is None and name == RECIPE:
                text = "recipe.tost means another plan; what was set from outside is not recorded"
                group.notes.append(text)
                continue
            other = next((p.short for p in plans if p.fingerprint != plan.fingerprint), "")
            detail = f"means plan {other}, not {plan.short}" if other else "expects something else"
            if group.check(name, bool(same), f"means plan {plan.short}" if same else detail):
                agree.append(name)
            else:
                wrong = True
        for name in sorted(self.edited):
            if wrong:
                group.check(name, False, "was edited after the run")
            else:
                group.notes.append(f"{name} was edited after the run, and means the same")
        *others, last = agree
        group.said = f"{', '.join(others)} and {last} mean {plan.short}" if others else plan.short

    def _evidence(self, plan: Plan) -> Evidence | None:
        """Everything that the rest is judged by; None where some of it cannot be read."""
        group = self._group("files")
        certificate = self._record(group, CERTIFICATE, StoredCertificate)
        result = self._record(group, RESULT, StoredResult)
        environment = self._record(group, ENVIRONMENT, StoredEnvironment)
        rows: list[Mapping[str, Any]] = []
        try:
            rows = read_lines(self.folder / METRICS)
        except Unfit as why:
            group.check(METRICS, False, str(why))
        if certificate is None or result is None or environment is None:
            return None
        found = Evidence(
            self.folder,
            plan,
            environment,
            certificate,
            result,
            rows,
            digests(self.folder, (weights.MODEL, weights.MASKS, OUTPUTS)),
            self.options.allow_ghosts,
        )
        try:
            found.program  # noqa: B018 # made here once, since a plan made up may have none
        except (TostError, ValueError, ArithmeticError) as error:
            self._group("plan").check(MARKER, False, f"makes no program: {brief(error)}")
            return None
        return found

    def _code(self, evidence: Evidence) -> tuple[Diagnostic, ...]:
        """Import the user's own code if there is any; why that cannot be done, or may not be."""
        data = self.options.measures and not evidence.environment.data.fake
        try:
            refuse_code([evidence.plan], self.options.allow_code, data=data)
            now = sources_of(evidence.plan, data=data)
        except TostError as error:
            return error.diagnostics
        then = {(each.kind, each.function): each.sha256 for each in evidence.environment.code}
        for each in now:
            if then.get((each["kind"], each["function"])) != each["sha256"]:
                text = (
                    f"{each['file']}, where `{each['function']}` stands, has changed since the run"
                )
                self._group("files").notes.append(text)
        return ()

    def _judge(self, evidence: Evidence) -> None:
        if wrong := lives.gap(self.folder, evidence.program.steps, evidence.environment):
            self._group("files").check(LIVES, False, wrong)
        network = weights.network(evidence, self._group("network"))
        masked = weights.masks(evidence, network, self._group("masks"))
        kept = weights.ghosts(evidence, network, masked, self._group("ghosts"))
        weights.outputs(evidence, network, self._group("outputs"))
        parts = parts_of(evidence, network) if network is not None else None
        if network is not None and parts is not None:
            batches(evidence, network, parts, self._group("network"))
        figures.figures(evidence, masked, parts, self._group("figures"))
        traces.trace(evidence, network, parts, self._written(), self._group("figures"))
        figures.certificate(evidence, self._group("certificate"))
        accuracy = self._group("accuracy")
        if self.options.measures:
            if network is not None:
                root = self.options.data_root
                accuracies.accuracy(evidence, network, masked, kept, accuracy, root)
            else:
                accuracy.check("the network", False, "is not there to be measured")
        else:
            accuracy.said = "not measured again; `--evaluate` does"


def _as_written(files: int, edited: list[str]) -> str:
    if not edited:
        return f"{files} files are as they were written"
    were = "was" if len(edited) == 1 else "were"
    unedited = f"{files - len(edited)} of {files} files are as they were written"
    return f"{unedited}; {', '.join(edited)} {were} edited"


def _ended(end: StoredEnd) -> str:
    was = "it was interrupted" if end.state == "interrupted" else f"it {end.state}"
    return f"{was}: {end.reason}" if end.reason else was


__all__ = ["Verdict", "VerifyOptions", "verify"]
