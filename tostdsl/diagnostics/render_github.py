"""Diagnostics as commands of GitHub's workflow log, which shows them beside the changed lines."""

from __future__ import annotations

from collections.abc import Iterable

from tostdsl.diagnostics.model import Diagnostic, Severity
from tostdsl.diagnostics.screen import printable

COMMANDS = {Severity.ERROR: "error", Severity.WARNING: "warning", Severity.NOTE: "notice"}


def render(diagnostics: Iterable[Diagnostic]) -> str:
    """One command a line, without a line end after the last; empty where there is nothing.

    What has no place in a file (a value of `--set`, a failed run) has no `file`. The end is that
    of the first label; as GitHub wants it, columns are left out where it ends on another line.
    """
    return "\n".join(map(_command, diagnostics))


def _command(diagnostic: Diagnostic) -> str:
    properties: dict[str, str] = {}
    span = diagnostic.span
    if span is not None and not span.source.name.startswith(("--", "<")):
        line, column = span.source.position(span.start)
        end_line, end_column = span.source.position(span.end)
        properties = {"file": span.source.name, "line": str(line)}
        if line == end_line:
            properties |= {"col": str(column), "endLine": str(line), "endColumn": str(end_column)}
        else:
            properties["endLine"] = str(end_line)
    properties["title"] = diagnostic.code
    said = [diagnostic.message]
    said += [f"{label.span}: {label.text}" for label in diagnostic.labels if label.text]
    if diagnostic.help:
        said.append(f"help: {diagnostic.help}")
    shown = ",".join(f"{name}={_property(value)}" for name, value in properties.items())
    return f"::{COMMANDS[diagnostic.severity]} {shown}::{_data(said)}"


def _data(lines: list[str]) -> str:
    return "%0A".join(_escape(printable(line)) for line in lines)


def _escape(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _escape(text).replace(":", "%3A").replace(",", "%2C")
