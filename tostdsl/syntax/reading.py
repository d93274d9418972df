"""A reading of a statement that can be taken back: what recovery tries its repairs on."""

from __future__ import annotations

from dataclasses import dataclass, replace

from tostdsl.syntax.nodes import LOST
from tostdsl.syntax.tables import Stack, tables
from tostdsl.syntax.tree import Token

MARKS = {
    "EQUAL": "=",
    "COMMA": ",",
    "DOLLAR": "$",
    "FOR": "for",
    "OVER": "over",
    "$END": "",
    "RPAR": ")",
    "RSQB": "]",
    "LPAR": "(",
    "LSQB": "[",
}
"""The text of each terminal that is put in."""
CLOSERS = {"LPAR": "RPAR", "LSQB": "RSQB"}
REACH = ("FROM", "UNTIL", "FOR", "AT", "ON", "EXCEPT")
"""The terminals that start a window or targets."""


@dataclass(frozen=True, slots=True)
class State:
    """Where a reading is: what can follow, how much has been read, how many brackets are open."""

    stack: Stack
    size: int
    depth: int


@dataclass(frozen=True, slots=True)
class Bracket:
    """One that is open, and the states in it that a repair may go back to.

    `start`: its offset. `index`: its token among what has been read. `item`: where the item that is
    read now began. `comma`: before the last comma. `named`: behind the last argument with a name.
    `value`: behind the last `=`.
    """

    kind: str
    start: int
    index: int
    item: State
    comma: State | None = None
    named: State | None = None
    value: State | None = None


class Reading:
    """What has been read of a statement, with the marks that were put in."""

    def __init__(self) -> None:
        self.stack: Stack = [0]
        self.read: list[Token] = []
        self.brackets: tuple[Bracket, ...] = ()
        self.before = self.state()
        """The state before the last token."""
        self.part: State | None = None
        """The state before the last word that started a part of the window or targets."""

    def copy(self) -> Reading:
        """One that can be tried on."""
        other = Reading()
        other.stack, other.read, other.brackets = self.stack, self.read.copy(), self.brackets
        other.before, other.part = self.before, self.part
        return other

    def state(self) -> State:
        """Where it is."""
        return State(self.stack, len(self.read), len(self.brackets))

    def restore(self, state: State) -> list[Token]:
        """Go back; the tokens that are no longer read."""
        tokens = self.read[state.size :]
        del self.read[state.size :]
        self.stack, self.brackets = state.stack, self.brackets[: state.depth]
        return tokens

    # -- reading

    def feed(self, token: Token) -> bool:
        """Read a token, a word as a keyword where one can stand; or leave all as it was."""
        word = tables().words.get(token)
        kinds = (token.type,) if word is None else (word, "NAME")
        return any(self.feed_as(kind, token) for kind in kinds)

    def feed_as(self, kind: str, *tokens: Token) -> bool:
        """Read tokens, the last one as of a kind; or leave all as it was."""
        stacks = [self.stack]
        kinds = [*(token.type for token in tokens[:-1]), kind]
        for each in kinds:
            stack = tables().after(stacks[-1], each)
            if stack is None:
                return False
            stacks.append(stack)
        for token, each, stack in zip(tokens, kinds, stacks[1:], strict=True):
            self._take(token, each, stack)
        return True

    def _take(self, token: Token, kind: str, stack: Stack) -> None:
        before = self.before = self.state()
        token.type = kind
        self.stack = stack
        self.read.append(token)
        if kind in CLOSERS:
            state = State(stack, len(self.read), len(self.brackets) + 1)
            self.brackets += (Bracket(kind, token.start_pos, before.size, state),)
        elif kind in ("RPAR", "RSQB"):
            self.brackets = self.brackets[:-1]
        elif not self.brackets:
            if kind in REACH:
                self.part = before
        elif kind == "COMMA":
            top = self.brackets[-1]
            named = before if self._named(top) else top.named
            top = replace(top, item=self.state(), comma=before, named=named)
            self.brackets = (*self.brackets[:-1], top)
        elif kind == "EQUAL":
            self.brackets = (*self.brackets[:-1], replace(self.brackets[-1], value=self.state()))

    def _named(self, top: Bracket) -> bool:
        second = self.read[top.item.size + 1 : top.item.size + 2]
        return bool(second) and second[0].type == "EQUAL"

    @property
    def end(self) -> int:
        """Where the last token ends."""
        return self.read[-1].end_pos if self.read else 0

    def mark(self, kind: str) -> Token:
        """A token to be put in, standing right after the last one."""
        return Token.of(kind, MARKS[kind], self.end, self.end)

    def close(self) -> bool:
        """Close all brackets; whether that was possible."""
        return all(self.feed(self.mark(CLOSERS[top.kind])) for top in reversed(self.brackets))

    def lose(self, end: int) -> None:
        """Leave out the value of the innermost bracket's item, whose name stays."""
        top = self.brackets[-1]
        named = self._named(top)
        tokens = self.restore(top.item)
        start = tokens[0].start_pos if tokens else self.end
        if named:
            for token in tokens[:2]:
                self.feed_as(token.type, token)
            start = self.end
        self.lost_value(start, max(start, end))

    def lost_value(self, start: int, end: int) -> bool:
        """Put in what stands for a value that could not be read."""
        name = Token.of("NAME", LOST, start, end)
        return self.feed_as("NAME", Token.of("DOLLAR", "$", start, start), name)

    # -- where it is

    def closable(self) -> bool:
        """Whether the innermost bracket can end here."""
        closer = CLOSERS[self.brackets[-1].kind]
        return tables().after(self.stack, closer) is not None

    def empty(self) -> bool:
        """Whether nothing of an item has been read."""
        return len(self.read) == self.brackets[-1].item.size

    def positional(self) -> bool:
        """Whether an item without a name is being read."""
        return not self.empty() and not self._named(self.brackets[-1])

    def after_named(self) -> bool:
        """Whether an argument with a name has been read in these brackets."""
        if not self.brackets or self.brackets[-1].kind != "LPAR":
            return False
        return self.brackets[-1].named is not None or self._named(self.brackets[-1])

    def ends(self) -> bool:
        """Whether the statement can end here."""
        return tables().ends(self.stack)
