"""What arguments may be given as: a value with its unit, or the text that a recipe has for it."""

from __future__ import annotations

from typing import TypeAlias

from tostdsl.units import Duration, Factor, Moment, Pattern, Percent, Ramp, Selector

PercentLike: TypeAlias = Percent | str
"""`"90%"` or `percent(90)`; no number, which could be a fraction as well."""
FactorLike: TypeAlias = Factor | float | str
"""`"2x"`, `times(2)` or 2."""
PatternLike: TypeAlias = Pattern | str
"""`"2:4"`."""
MomentLike: TypeAlias = Moment | Percent | str
"""`"epoch 40"`, `epoch(40)`, `"25%"`, `"start"` or `"end"`."""
DurationLike: TypeAlias = Duration | str
"""`"180 epochs"` or `epochs(180)`."""
RampLike: TypeAlias = Ramp | str
"""`"1 -> 20"` or `ramp(1, 20)`."""
SelectorLike: TypeAlias = Selector | str
"""`"conv"`, `"linear"`, `"first"`, `"last"`, or a glob over names of modules."""
