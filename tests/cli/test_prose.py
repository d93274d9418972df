"""Laying out text for a terminal."""

from __future__ import annotations

from tostdsl.cli.prose import columns, markdown

TEXT = """\
# Title

One two three
four five.

- first item that is
  long
- second

    code   stays

```tost
model   x
```

| a | b |
"""


def test_running_text_is_wrapped_and_the_rest_is_kept() -> None:
    """Paragraphs and items are filled; headings, code and tables are not."""
    expected = [
        "# Title",
        "",
        "One two three four",
        "five.",
        "",
        "- first item that is",
        "  long",
        "- second",
        "",
        "    code   stays",
        "",
        "    model   x",
        "",
        "| a | b |",
    ]
    assert expected == markdown(TEXT, 20)


def test_columns_hang() -> None:
    """A second line of text stands below the first one's beginning."""
    assert ["  a    one two three four", "       five", "  bcd"] == columns(
        [("a", "one two three four five"), ("bcd", "")], 26, indent=2
    )


def test_a_narrow_terminal_still_gets_words() -> None:
    """Words are never cut, however narrow it is."""
    assert ["name  incomprehensibilities"] == columns([("name", "incomprehensibilities")], 5)
