"""One side of a comparison: a plan, with what is known of where it came from."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tostdsl.plan.marker import FAKE, REHEARSAL
from tostdsl.plan.plan import Plan

UNREAL = {REHEARSAL: "a rehearsal", FAKE: "a run on random images"}
"""What a run is whose figures mean nothing, by the reason that its folder gives."""
BOTH = {REHEARSAL: "both are rehearsals", FAKE: "both ran on random images"}
"""What two of them are."""


@dataclass(frozen=True, slots=True)
class Side:
    """A plan, and where it came from."""

    name: str
    plan: Plan
    texts: tuple[str, ...] = ()
    """The recipe's and those of what it extends, where it is one."""
    values: Mapping[str, str] = field(default_factory=dict)
    """Of one run of a sweep, what it is swept over."""
    sweep: str = ""
    """What the runs of its sweep are called together, where `name` is that of one of them."""
    named: bool | None = True
    """Whether the plan's name was said; False where it is only the file's, None where that is not
    known."""
    unreal: str | None = ""
    """Of a run, why its figures mean nothing: `a rehearsal`, `random images`; empty for any other
    side, None where its files do not tell."""
    state: str | None = None
    """Of a run, how it ended: `finished`, `failed`, `stopped`, …"""

    @property
    def together(self) -> str:
        """The name of the sweep that it is a run of, or its own."""
        return self.sweep or self.name

    @property
    def run_of(self) -> str:
        """The values of a run of a sweep in words, such as `sp = 80%, seed = 1`."""
        return ", ".join(f"{name} = {text}" for name, text in self.values.items())

    @property
    def notes(self) -> tuple[str, ...]:
        """What is to be known of a run besides its plan, in words; nothing of a finished one."""
        found = []
        if self.unreal is None:
            found.append("whether it is a rehearsal is not known")
        elif self.unreal:
            found.append(UNREAL.get(self.unreal, self.unreal))
        if self.state not in (None, "finished"):
            found.append(str(self.state))
        return tuple(found)

    def __repr__(self) -> str:
        """In a line, for a prompt; texts are long."""
        swept = "".join(f", {name} {value}" for name, value in self.values.items())
        return f"<Side {self.name}{swept}: {self.plan!r}>"

    def to_json(self) -> dict[str, Any]:
        """A plain form for programs."""
        return {
            "name": self.name,
            "recipe": self.plan.name,
            "fingerprint": self.plan.fingerprint,
            "values": dict(self.values),
            "unreal": self.unreal,
            "state": self.state,
        }
