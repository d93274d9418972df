"""The one canonical layout of a recipe (`tost fmt`)."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field

from tostdsl.diagnostics import Diagnostic, Severity, diagnose
from tostdsl.quiet import quiet
from tostdsl.source import Source
from tostdsl.syntax.nodes import Comment, File, Statement
from tostdsl.syntax.parser import parse
from tostdsl.syntax.pieces import Group, Item, Pieces, comment_text, flat_statement

WIDTH = 88
INDENT = 4

_OFF = re.compile(r"#\s*fmt:\s*off")
_ON = re.compile(r"#\s*fmt:\s*on")
_LINE_END = re.compile(r"\r+\n")


@quiet
def format_text(source: Source, width: int = WIDTH) -> tuple[str | None, list[Diagnostic]]:
    """The text in canonical layout; None with the mistakes when its form is wrong.

    The result is read again: if it did not say what the source says, the source's own text is
    handed back with a diagnostic.
    """
    file, found = parse(source)
    if any(diagnostic.severity is Severity.ERROR for diagnostic in found):
        return None, found
    text = format_file(file, width)
    if text == source.text or _same(file, text, width):
        return text, found
    return source.text, [*found, diagnose("T111", source.span(0, 0))]


def format_file(file: File, width: int = WIDTH) -> str:
    """The canonical layout of a file whose form is right (no holes)."""
    lines: list[str] = []
    for entry in _aligned(_Entries(file).read()):
        if entry.blank and lines:
            lines.append("")
        lines.extend(_laid(entry, width))
    return "\n".join(lines) + "\n" if lines else ""


def _same(file: File, text: str, width: int) -> bool:
    again, found = parse(Source(file.source.name, text))
    return (
        not found
        and again.statements == file.statements
        and _comments(again) == _comments(file)
        and format_file(again, width) == text
    )


def _comments(file: File) -> Counter[str]:
    return Counter(comment_text(comment.text) for comment in file.comments)


@dataclass(slots=True)
class _Entry:
    """What stands on lines of its own: a statement, a comment, or text that is kept."""

    blank: bool
    item: Item | None = None
    node: Statement | None = None
    """A statement without comments inside, whose `flat` text mostly fits on its line."""
    flat: str = ""
    word: str = ""
    pad: int = 0
    beside: str = ""
    kept: list[str] = field(default_factory=list)


class _Entries:
    """Walks statements and comments together, in the order of the source."""

    def __init__(self, file: File) -> None:
        self.text = file.source.text
        self.statements = file.statements
        self.pieces = Pieces(file.comments)
        self.index = 0
        self.end = 0
        self.entries: list[_Entry] = []

    def read(self) -> Iterator[_Entry]:
        """All entries of the file, each as soon as it is complete."""
        while True:
            yield from self.entries
            self.entries.clear()
            comment = self.pieces.peek()
            done = self.index == len(self.statements)
            if comment is not None and (
                done or comment.span.start < self.statements[self.index].span.start
            ):
                self.pieces.next += 1
                self.comment(comment)
            elif not done:
                self.statement()
            else:
                return

    def add(self, entry: _Entry, end: int) -> None:
        """Append an entry whose source ends at `end`."""
        self.entries.append(entry)
        self.end = end

    def blank(self, start: int) -> bool:
        """Whether a blank line stands between the last entry and an offset."""
        return self.text.count("\n", self.end, start) > 1

    def comment(self, comment: Comment) -> None:
        """A comment on a line of its own, with the text it keeps if it is `# fmt: off`."""
        kept = [comment_text(comment.text)]
        self.add(_Entry(self.blank(comment.span.start), kept=kept), comment.span.end)
        if _OFF.fullmatch(comment.text):
            self.keep(self.text.find("\n", comment.span.end))

    def keep(self, newline: int) -> None:
        """Keep the lines after `newline` up to the line of `# fmt: on`."""
        on = self.find_on()
        if newline < 0:
            return
        stop = len(self.text) if on is None else self.text.rfind("\n", 0, on.span.start) + 1
        kept = _LINE_END.sub("\n", self.text[newline + 1 : stop])
        if on is None:
            kept = kept.rstrip("\r\n") + "\n"
        if kept.strip("\r\n") or on is not None:
            self.add(_Entry(False, kept=kept.split("\n")[:-1]), stop)
        if on is not None:
            self.pieces.next += 1
            self.add(_Entry(False, kept=[comment_text(on.text)]), on.span.end)

    def find_on(self) -> Comment | None:
        """Skip to the next `# fmt: on` between statements, if there is one."""
        inside = 0
        while (comment := self.pieces.peek()) is not None:
            start = comment.span.start
            while (
                self.index < len(self.statements) and self.statements[self.index].span.start < start
            ):
                inside = self.statements[self.index].span.end
                self.index += 1
            if comment.alone and start >= inside and _ON.fullmatch(comment.text):
                return comment
            self.pieces.next += 1
        self.index = len(self.statements)
        return None

    def statement(self) -> None:
        """The next statement, with the comment beside it."""
        node = self.statements[self.index]
        self.index += 1
        entry = _Entry(self.blank(node.span.start))
        comment = self.pieces.peek()
        if comment is None or comment.span.start >= node.span.end:
            entry.node = node
            entry.word, entry.flat = flat_statement(node)
        else:
            entry.word, entry.item = self.pieces.statement(node)
            comment = self.pieces.peek()
        if comment is None or comment.alone or self.inside_next(comment):
            self.add(entry, node.span.end)
        else:
            self.pieces.next += 1
            entry.beside = comment_text(comment.text)
            self.add(entry, comment.span.end)

    def inside_next(self, comment: Comment) -> bool:
        """Whether a comment stands behind the start of the next statement."""
        left = self.statements[self.index : self.index + 1]
        return any(comment.span.start > statement.span.start for statement in left)


def _aligned(entries: Iterable[_Entry]) -> Iterator[_Entry]:
    """Give the words of each block of slots and settings one column."""
    block: list[_Entry] = []
    for entry in entries:
        if block and (entry.blank or not entry.word):
            yield from _padded(block)
            block = []
        if entry.word:
            block.append(entry)
        else:
            yield entry
    yield from _padded(block)


def _padded(block: list[_Entry]) -> list[_Entry]:
    longest = max((len(member.word) for member in block), default=0)
    for member in block:
        member.pad = longest + 1
    return block


def _laid(entry: _Entry, width: int) -> list[str]:
    prefix = entry.word.ljust(entry.pad)
    if entry.node is not None and len(prefix) + len(entry.flat) <= width:
        lines = [prefix + entry.flat]
    elif entry.node is not None:
        lines = _lay(Pieces(()).statement(entry.node)[1], prefix, 0, "", width)
    elif entry.item is not None:
        lines = _lay(entry.item, prefix, 0, "", width)
    else:
        return entry.kept
    if entry.beside:
        lines[-1] += f"  {entry.beside}"
    return lines


def _lay(item: Item, prefix: str, indent: int, suffix: str, width: int) -> list[str]:
    """The lines of an item: on one if it fits, else broken in its brackets, the first first."""
    if not item.split:
        whole = prefix + item.flat + suffix
        if len(whole) <= width:
            return [whole]
    lines: list[str] = []
    line = prefix
    for part, ahead in zip(item.parts, _ahead(item, len(suffix)), strict=True):
        if isinstance(part, str):
            line += part
        elif not part.split and len(line) + ahead <= width:
            line += part.flat
        else:
            lines.extend(_broken(part, line, indent, width))
            line = " " * indent + part.close
    return [*lines, line + suffix]


def _ahead(item: Item, length: int) -> list[int]:
    """How much of the line each part and what follows it would take, up to a split bracket."""
    ahead: list[int] = []
    for part in reversed(item.parts):
        if isinstance(part, str):
            length += len(part)
        else:
            length = len(part.open) if part.split else length + len(part.flat)
        ahead.append(length)
    return ahead[::-1]


def _broken(group: Group, line: str, indent: int, width: int) -> list[str]:
    """A group one item a line, up to its closing bracket."""
    deeper = indent + INDENT
    margin = " " * deeper
    lines = [line + group.open]
    _set_beside(lines, group.head, margin)
    for item in group.items:
        lines.extend(margin + comment for comment in item.leading)
        lines.extend(_lay(item, margin, deeper, ",", width))
        _set_beside(lines, item.beside, margin)
    lines.extend(margin + comment for comment in group.tail)
    return lines


def _set_beside(lines: list[str], comments: list[str], margin: str) -> None:
    """Put the first comment at the end of the last line, the others below."""
    if comments:
        lines[-1] += f"  {comments[0]}"
        lines.extend(margin + comment for comment in comments[1:])
