"""The shipped tables read what lark reads."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings

from tests.strategies import statements
from tostdsl import assets
from tostdsl.syntax import tables as module
from tostdsl.syntax.tables import Tables, lark, make, tables, tables_text


def shape(item: Any) -> object:
    """A tree of either kind as plain data, with every place."""
    if item is None:
        return None
    if not hasattr(item, "children"):
        return (item.type, str(item), item.start_pos, item.end_pos)
    meta = getattr(item, "meta", item)
    empty = getattr(meta, "empty", False)
    place = (-1, -1) if empty else (meta.start_pos, meta.end_pos)
    return (str(item.data), place, [shape(child) for child in item.children])


def test_they_are_current() -> None:
    """`python -m tostdsl.syntax.tables` writes them anew after a change of the grammar."""
    shipped = assets.folder("grammar") / module.SHIPPED
    assert tables_text() == shipped.read_text(encoding="utf-8")


@settings(max_examples=300, deadline=None)
@given(statements())
def test_they_read_what_lark_reads(text: str) -> None:
    """The same tree with the same places for every statement."""
    tree = tables().read(text.strip())
    assert tree is not None
    assert shape(lark().parse(text.strip())) == shape(tree)


def test_what_is_wrong_gives_nothing() -> None:
    """In the middle, at the end, and where a character belongs to nothing."""
    for text in ("", "a b c", "a(", "a)", "a(x=1", "@", "a @", "a(x=1) @", 'a("', "seed"):
        assert tables().read(text) is None, text


def test_new_ones_do_the_same() -> None:
    """What is made from the grammar is what is shipped."""
    text = 'ghost(width=2x) from epoch 1 on "a", first # b'
    assert shape(tables().read(text)) == shape(Tables(make()).read(text))
