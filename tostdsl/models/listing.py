"""Listing a network's modules without building it, in the order `named_modules` gives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal

from tostdsl.plan.bases import ModuleFact

Form = Literal["conv", "linear", "other"]


class Listing:
    """Collects module facts; a child is given by the dotted name of where it hangs."""

    def __init__(self) -> None:
        self._facts: list[ModuleFact] = []

    def conv(self, name: str) -> None:
        """Add a convolution."""
        self._put(name, "conv")

    def linear(self, name: str) -> None:
        """Add a linear layer."""
        self._put(name, "linear")

    def other(self, *names: str) -> None:
        """Add anything else: containers, normalisations, activations."""
        for name in names:
            self._put(name, "other")

    def _put(self, name: str, form: Form) -> None:
        self._facts.append(ModuleFact(name, form))

    def __iter__(self) -> Iterator[ModuleFact]:
        return iter(self._facts)
