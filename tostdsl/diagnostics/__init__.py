"""Mistakes as values: what is wrong, where, and what to write instead."""

from tostdsl.diagnostics.catalogue import CATALOGUE, Entry
from tostdsl.diagnostics.model import (
    Diagnostic,
    Edit,
    Fix,
    Label,
    Severity,
    TostError,
    brief,
    diagnose,
)
from tostdsl.diagnostics.suggest import nearest, related, twins

__all__ = [
    "CATALOGUE",
    "Diagnostic",
    "Edit",
    "Entry",
    "Fix",
    "Label",
    "Severity",
    "TostError",
    "brief",
    "diagnose",
    "nearest",
    "related",
    "twins",
]
