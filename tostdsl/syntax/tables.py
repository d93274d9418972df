"""The grammar as tables that are ready to use: `grammar/tost.tables.json`, made from `tost.lark`.

Making a parser of a grammar takes longer than checking a recipe, so the tables are shipped as
plain data. They carry the grammar's hash and are made anew, by lark, where it differs. What they
accept they read as lark would; text they refuse is read again by `recover.py`, which asks them
what could have stood where. `python -m tostdsl.syntax.tables` writes the file.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, TypeAlias, cast

from tostdsl import assets
from tostdsl.syntax.tree import Child, Token, Tree

if TYPE_CHECKING:
    from lark import Lark

Kept: TypeAlias = list[Any]
Stack: TypeAlias = list[int]
"""The states a reading is in, the innermost last. It says all that can follow."""
GRAMMAR = "tost.lark"
SHIPPED = "tost.tables.json"


class Rule:
    """What reducing a rule does with the values on the stack.

    `alone`: a single child stands for the whole. `kept`: which children stay, whether their own
    take their place, and how many None go before each; `after`: how many None go behind them.
    """

    __slots__ = ("after", "alone", "kept", "name", "origin", "plain", "size")

    def __init__(
        self, origin: str, size: int, name: str, alone: bool, kept: list[Kept], after: int
    ) -> None:
        self.origin = origin
        self.size = size
        self.name = name
        self.alone = alone
        self.kept = kept
        self.after = after
        self.plain = size == 1 and alone and kept == [[0, False, 0]] and not after
        """Whether it leaves the one value it reads as it is."""


class Tables:
    """A grammar's tables, and the reading of one statement with them."""

    def __init__(self, content: dict[str, Any]) -> None:
        ignored = f"(?:{content['ignored']})*+"
        self.pattern = re.compile(f"{ignored}(?:{content['pattern']})")
        self.ignored = re.compile(ignored)
        self.words: dict[str, str] = content["words"]
        self.rules = [Rule(*row) for row in content["rules"]]
        self.plain = [rule.origin if rule.plain else None for rule in self.rules]
        self.states: list[dict[str, int]] = content["states"]
        self.end: int = content["end"]

    def read(self, text: str) -> Tree | None:
        """The tree of a statement, or None where there is anything wrong with it."""
        stack, values = [0], cast("list[Child]", [])
        states, words, plain, at = self.states, self.words, self.plain, 0
        for match in self.pattern.finditer(text):
            if match.start() != at:
                return None
            kind = cast(str, match.lastgroup)
            start, at = match.span(kind)
            piece = text[start:at]
            if kind == "NAME" and words.get(piece, "") in states[stack[-1]]:
                kind = words[piece]
            action = states[stack[-1]].get(kind)
            while action is not None and action < 0:
                origin = plain[~action]
                if origin is None:
                    self._reduce(~action, stack, values)
                else:
                    stack[-1] = states[stack[-2]][origin]
                action = states[stack[-1]].get(kind)
            if action is None:
                return None
            stack.append(action)
            token = Token(piece)
            token.type, token.start_pos, token.end_pos = kind, start, at
            values.append(token)
        if self.ignored.fullmatch(text, at) is None:
            return None
        return self._ended(stack, values)

    def built(self, tokens: Iterable[Token]) -> Tree | None:
        """The tree of tokens whose kinds are known, or None where they are no statement."""
        stack, values = [0], cast("list[Child]", [])
        for token in tokens:
            action = self.states[stack[-1]].get(token.type)
            while action is not None and action < 0:
                self._reduce(~action, stack, values)
                action = self.states[stack[-1]].get(token.type)
            if action is None:
                return None
            stack.append(action)
            values.append(token)
        return self._ended(stack, values)

    def _ended(self, stack: Stack, values: list[Child]) -> Tree | None:
        """The tree of all that has been read, or None where more must follow."""
        while stack[-1] != self.end:
            action = self.states[stack[-1]].get("$END")
            if action is None or action >= 0:
                return None
            self._reduce(~action, stack, values)
        return cast(Tree, values[0])

    # -- for recovery, which asks what could stand where

    @property
    def kinds(self) -> list[str]:
        """The terminals a statement is made of."""
        return [*(name for name in self.pattern.groupindex), *self.words.values()]

    def tokens(self, text: str, at: int = 0) -> Iterator[tuple[str, int, int]]:
        """Kind, start and end of each token from a place on, up to where no token begins."""
        # not `finditer`, which looks for the next token through all that is none
        while (match := self.pattern.match(text, at)) is not None:
            kind = cast(str, match.lastgroup)
            start, at = match.span(kind)
            yield kind, start, at

    def after(self, stack: Stack, kind: str) -> Stack | None:
        """The states after a token of a kind, or None where it cannot stand."""
        states, rules = self.states, self.rules
        action = states[stack[-1]].get(kind)
        if action is None:
            return None
        stack = stack.copy()
        while action < 0:
            rule = rules[~action]
            if rule.size:
                del stack[-rule.size :]
            stack.append(states[stack[-1]][rule.origin])
            action = states[stack[-1]].get(kind)
            if action is None:
                return None
        stack.append(action)
        return stack

    def accepted(self, stack: Stack) -> set[str]:
        """The terminals that can stand next, `$END` where the statement can end."""
        kinds = {kind for kind in self.kinds if self.after(stack, kind) is not None}
        return kinds | {"$END"} if self.ends(stack) else kinds

    def ends(self, stack: Stack) -> bool:
        """Whether the statement can end in these states."""
        stack = stack.copy()
        while stack[-1] != self.end:
            action = self.states[stack[-1]].get("$END")
            if action is None or action >= 0:
                return False
            rule = self.rules[~action]
            if rule.size:
                del stack[-rule.size :]
            stack.append(self.states[stack[-1]][rule.origin])
        return True

    def _reduce(self, number: int, stack: list[int], values: list[Child]) -> None:
        rule = self.rules[number]
        size = rule.size
        popped = values[len(values) - size :]
        if size:
            del stack[-size:], values[-size:]
        stack.append(self.states[stack[-1]][rule.origin])
        children: list[Child] = []
        for index, inlined, missing in rule.kept:
            child = popped[index]
            if missing:
                children += [None] * missing
            if not inlined:
                children.append(child)
            elif children:
                children += cast(Tree, child).children
            else:  # it is built left to right, so the list can be handed on
                children = cast(Tree, child).children
        if rule.after:
            children += [None] * rule.after
        if rule.alone and len(children) == 1:
            values.append(children[0])
            return
        start = end = -1
        for child in popped:
            if child is not None and child.end_pos >= 0:
                end = child.end_pos
                if start < 0:
                    start = child.start_pos
        values.append(Tree(rule.name, children, start, end))


def grammar_text() -> str:
    """The grammar of one statement."""
    return (assets.folder("grammar") / GRAMMAR).read_text(encoding="utf-8")


def digest(grammar: str) -> str:
    """What ties tables to a grammar."""
    return hashlib.sha256(grammar.encode()).hexdigest()


@lru_cache(maxsize=1)
def lark() -> Lark:
    """The grammar as lark reads it: what the tables are made from."""
    from lark import Lark

    return Lark(
        grammar_text(),
        parser="lalr",
        lexer="contextual",
        start="statement",
        maybe_placeholders=True,
        propagate_positions=True,
    )


@lru_cache(maxsize=1)
def tables() -> Tables:
    """The shipped tables, or new ones where the grammar is another."""
    shipped = assets.folder("grammar") / SHIPPED
    if shipped.is_file():
        content = json.loads(shipped.read_text(encoding="utf-8"))
        if content["grammar"] == digest(grammar_text()):
            return Tables(content)
    return Tables(make())


# -- making them; lark's parts have no types


def make() -> dict[str, Any]:
    """The content of `tost.tables.json`."""
    made = cast("Any", lark())
    table, rules = made.parser.parser._parse_table, made.rules
    scanner = made.parser.lexer.root_lexer.scanner
    terminals = list(scanner.terminals)
    words = {
        terminal.pattern.value: terminal.name
        for terminal in made.terminals
        if re.fullmatch(r"[A-Za-z_]\w*", terminal.pattern.value) and terminal not in terminals
    }
    numbers = {rule: number for number, rule in enumerate(rules)}
    (end,) = table.end_states.values()
    order = _order(table)
    states = []
    for state in order:
        row: dict[str, int] = {}
        for symbol, (action, argument) in sorted(table.states[state].items()):
            shift = action.name == "Shift"
            row[symbol] = order.index(argument) if shift else ~numbers[argument]
        states.append(row)
    return {
        "grammar": digest(grammar_text()),
        "pattern": "|".join(
            f"(?P<{t.name}>{t.pattern.to_regexp()})"
            for t in terminals
            if t.name not in made.ignore_tokens
        ),
        "ignored": "|".join(
            t.pattern.to_regexp() for t in terminals if t.name in made.ignore_tokens
        ),
        "words": words,
        "rules": [_rule(rule) for rule in rules],
        "end": order.index(end),
        "states": states,
    }


def _order(table: Any) -> list[int]:
    """The states as they are reached from the first; lark's own numbers differ between runs."""
    (first,) = table.start_states.values()
    order = [first]
    for state in order:
        for _, (action, argument) in sorted(table.states[state].items()):
            if action.name == "Shift" and argument not in order:
                order.append(argument)
    return order


def _rule(rule: Any) -> list[Any]:
    expansion, empty = rule.expansion, rule.options.empty_indices
    bits = "".join(str(int(bit)) for bit in empty) if empty else "0" * len(expansion)
    gaps = [len(ones) for ones in bits.split("0")]
    kept, missing = [], 0
    for index, symbol in enumerate(expansion):
        missing += gaps[index]
        if rule.options.keep_all_tokens or not (symbol.is_term and symbol.filter_out):
            kept.append([index, not symbol.is_term and symbol.name.startswith("_"), missing])
            missing = 0
    origin = str(rule.origin.name)
    name = rule.alias or rule.options.template_source or origin
    alone = bool(rule.options.expand1 and not rule.alias)
    return [origin, len(expansion), str(name), alone, kept, missing + gaps[len(expansion)]]


def tables_text() -> str:
    """`tost.tables.json`, a rule and a state a line."""
    content = make()
    lines = []
    for key, value in content.items():
        if isinstance(value, list):
            rows = ",\n".join("  " + json.dumps(row) for row in value)
            lines.append(f'"{key}": [\n{rows}\n]')
        else:
            lines.append(f'"{key}": {json.dumps(value)}')
    return "{\n" + ",\n".join(lines) + "\n}\n"


if __name__ == "__main__":
    (assets.folder("grammar") / SHIPPED).write_text(tables_text(), encoding="utf-8")
