"""A statement's text as it is read, which may be another than the one written.

What was meant by a statement is put in the place of what was written, of whatever length; each
character remembers the range of the source it stands for. So a statement that was rewritten is
read and checked like any other, and its places are still places in the source.
"""

from __future__ import annotations

from collections.abc import Sequence

from tostdsl.source import Source, Span

MAX_COMPARED = 200
"""Characters up to which a text and what takes its place are compared in every way."""


class Written:
    """Text, and for each of its characters the range of the source it stands for."""

    __slots__ = ("begins", "ends", "source", "text")

    def __init__(
        self, source: Source, text: str, begins: Sequence[int], ends: Sequence[int]
    ) -> None:
        self.source = source
        self.text = text
        self.begins = begins
        self.ends = ends

    @classmethod
    def at(cls, source: Source, start: int, text: str) -> Written:
        """Text that stands in the source as it is, or with other characters in their places."""
        stop = start + len(text)
        return cls(source, text, range(start, stop), range(start + 1, stop + 1))

    def span(self, start: int, end: int) -> Span:
        """The range of the source that a range of the text stands for."""
        size = len(self.text)
        if not size:
            return self.source.span(0, 0)
        start, end = min(start, size), min(end, size)
        if start < end:
            first, last = self.begins[start], self.ends[end - 1]
            if last <= first:  # what stands there was put in another order
                first, last = min(self.begins[start:end]), max(self.ends[start:end])
        else:
            first = last = self.ends[start - 1] if start else self.begins[0]
        return self.source.span(first, max(first, last))

    def with_put(self, start: int, end: int, text: str) -> Written:
        """The same with `text` in the place of a range; what stays in it keeps its place."""
        begins, ends = list(self.begins), list(self.ends)
        for tag, first, last, new, stop in reversed(_changes(self.text[start:end], text)):
            if tag == "equal" or (tag == "replace" and last - first == stop - new):
                continue
            span = self.span(start + first, start + last)
            begins[start + first : start + last] = [span.start] * (stop - new)
            ends[start + first : start + last] = [span.end] * (stop - new)
        return Written(self.source, self.text[:start] + text + self.text[end:], begins, ends)

    def without(self, ranges: Sequence[tuple[int, int]]) -> Written:
        """The same without some ranges, which rise and do not overlap; in one pass."""
        text, begins, ends, last = [], list[int](), list[int](), 0
        for start, end in (*ranges, (len(self.text), len(self.text))):
            text.append(self.text[last:start])
            begins += self.begins[last:start]
            ends += self.ends[last:start]
            last = end
        return Written(self.source, "".join(text), begins, ends)

    def part(self, start: int, end: int) -> Written:
        """A range of it, without blanks around."""
        piece = self.text[start:end]
        start += len(piece) - len(piece.lstrip())
        end = start + len(piece.strip())
        return Written(
            self.source, self.text[start:end], self.begins[start:end], self.ends[start:end]
        )

    def composed(self, parts: Sequence[str | tuple[int, int]]) -> Written:
        """Ranges of it in another order, with text between them that stands for nothing."""
        text, begins, ends = "", [], []
        here = self.span(0, 0).start
        for part in parts:
            if isinstance(part, str):
                text += part
                begins += [here] * len(part)
                ends += [here] * len(part)
            else:
                start, end = part
                text += self.text[start:end]
                begins += self.begins[start:end]
                ends += self.ends[start:end]
                here = self.span(start, end).end
        return Written(self.source, text, begins, ends)


def _changes(old: str, new: str) -> Sequence[tuple[str, int, int, int, int]]:
    """What makes one text of another: kind of change, range of the old, range of the new."""
    if max(len(old), len(new)) > MAX_COMPARED:
        return [("replace", 0, len(old), 0, len(new))]
    from difflib import SequenceMatcher

    return list(SequenceMatcher(None, old, new, autojunk=False).get_opcodes())
