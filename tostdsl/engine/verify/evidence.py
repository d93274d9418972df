"""What a verification goes by, and what it finds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from tostdsl.diagnostics import Diagnostic
from tostdsl.engine.certificate import Check
from tostdsl.engine.verify.records import StoredCertificate, StoredEnvironment, StoredResult
from tostdsl.plan.bases import DataFacts
from tostdsl.plan.plan import Plan
from tostdsl.plan.program import Program, lower


@dataclass(slots=True)
class Group:
    """Checks of one kind, for one line of the report."""

    name: str
    said: str = ""
    """What was compared, in words, for when all of it passed."""
    checks: list[Check] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    """What is worth saying and no failure."""

    @property
    def passed(self) -> bool:
        """Whether every check passed."""
        return not self.failures

    @property
    def failures(self) -> list[Check]:
        """The checks that did not pass."""
        return [check for check in self.checks if not check.passed]

    def check(self, name: str, passed: bool, detail: str) -> bool:
        """Take down a check, which reads `name detail`; gives back whether it passed."""
        self.checks.append(Check(name, passed, detail))
        return passed

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs."""
        checks = [asdict(check) for check in self.checks]
        return {
            "name": self.name,
            "passed": self.passed,
            "said": self.said,
            "checks": checks,
            "notes": list(self.notes),
        }


@dataclass
class Evidence:
    """The readable files of a run, and what follows from them."""

    folder: Path
    plan: Plan
    environment: StoredEnvironment
    certificate: StoredCertificate
    result: StoredResult
    rows: Sequence[Mapping[str, Any]]
    """Of metrics.jsonl."""
    digests: Mapping[str, str]
    """SHA-256 of the files that the certificate names, as they are."""
    allow_ghosts: bool
    """Whether whoever verifies lets kept stages pass."""

    @cached_property
    def facts(self) -> DataFacts:
        """The data's facts: the plan's where it knows them, else those the run took down."""
        return self.plan.data.facts() or self.stored_facts

    @cached_property
    def stored_facts(self) -> DataFacts:
        """The data's facts as the run took them down."""
        return DataFacts(**self.environment.data.facts.model_dump())

    @cached_property
    def program(self) -> Program:
        """What the run had to cross."""
        program = lower(self.plan, self.plan.data.steps_per_epoch(self.facts.train_size))
        return program.rehearse() if self.result.rehearsal else program

    @cached_property
    def staying(self) -> dict[int, str]:
        """Names of the techniques that the recipe leaves in the network, by place in the plan."""
        stages = enumerate(self.plan.stages)
        return {i: stage.technique.name for i, stage in stages if stage.technique.stays()}

    @property
    def unreal(self) -> str:
        """Why figures mean nothing, as the run's own options have it."""
        words = "random images" if self.environment.data.fake else ""
        return "a rehearsal" if self.result.rehearsal else words

    def row(self, kind: str) -> Mapping[str, Any] | None:
        """The last row of a kind."""
        return next((row for row in reversed(self.rows) if row.get("kind") == kind), None)


@dataclass(frozen=True, slots=True)
class Verdict:
    """What was found, group by group."""

    folder: Path
    groups: tuple[Group, ...]
    fingerprint: str
    """Of the plan; empty where there is none to be had."""
    unreal: str
    """Why the run's figures mean nothing, if they do."""
    refused: tuple[Diagnostic, ...] = ()
    """Why it cannot be verified here, though it may be sound: another version, a plug-in."""

    @property
    def passed(self) -> bool:
        """Whether all of it holds."""
        return not self.refused and all(group.passed for group in self.groups)

    @property
    def failures(self) -> list[tuple[str, str]]:
        """Group and reason of each check that failed."""
        return [(g.name, f"{c.name} {c.detail}") for g in self.groups for c in g.failures]

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs."""
        return {
            "run": str(self.folder),
            "verified": self.passed,
            "fingerprint": self.fingerprint,
            "unreal": self.unreal,
            "refused": [diagnostic.to_json() for diagnostic in self.refused],
            "groups": [group.to_json() for group in self.groups],
        }
