"""The pages of `tost explain CODE`: there for every code, and true."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.diagnostics.pages import FENCE, codes_given, example, sections
from tostdsl.compile import load, resolve, sweeps, values
from tostdsl.diagnostics import CATALOGUE
from tostdsl.diagnostics.explain import page, title
from tostdsl.syntax import words

SEEN_ONLY = {
    "T106": "a page is UTF-8 itself",
    "T108": "a page has no control characters",
    "T109": "a page is short",
    "T111": "a mistake of the formatter, which nobody knows of",
    "T150": "a page is short",
    "T151": "a page is short",
    "T153": "a page is short",
    "T157": "a page is in NFC itself",
    "T158": "a page is UTF-8 itself",
    "T159": "a page is short",
    "T261": "needs a file system that ignores capitals",
    "T262": "needs a file system that does not ignore capitals",
    "T263": "a page is short",
    "T350": "a page is short",
    "T351": "a page is short",
    "T503": "needs a model that cannot be traced, which is never shipped",
    "T505": "no shipped mask asks for more than is left",
    "T508": "needs a file of masks, and a page holds texts",
    "T523": "needs a rehearsal of a network of an hour",
    "T530": "only known once the network is built",
    "T560": "needs a file of masks, and a page holds texts",
    "T561": "needs a file of masks, and a page holds texts",
    "T562": "needs a file of masks, and a page holds texts",
    "R160": "needs a file of masks, and a page holds texts",
    "R162": "`tost mask export` is tried in its own tests",
    "R161": "needs a file of masks, and a page holds texts",
    "T264": "needs a broken plug-in",
    "W004": "needs a broken plug-in",
    "W053": "needs weights that start at zero; in tests/masks/test_report.py",
    "W090": "a page is short",
    "R102": "needs a damaged data set",
    "R103": "needs a damaged file",
    "R104": "needs a network that fails",
    "R303": "needs a device that is full",
    "R304": "needs somebody to interrupt it",
    "R305": "needs weights that are not numbers",
    "R306": "needs a model that fails",
    "R307": "needs weights that are not numbers",
    "R310": "needs something that writes to the network; in tests/engine/test_watch.py",
    "R311": "needs something that writes to gradients; in tests/engine/test_watch.py",
    "R312": "needs something that writes to moments; in tests/engine/test_watch.py",
    "R313": "needs something that writes to a stage; in tests/engine/test_watch.py",
    "R314": "needs something that writes to masks; in tests/engine/test_watch.py",
    "R320": "needs a network that is cut through",
    "R330": "needs a device; in tests/engine/test_execution.py",
    "R331": "needs a compiler that fails; in tests/engine/test_compiled.py",
    "R332": "needs a model that is never shipped; in tests/engine/test_execution.py",
    "R333": "needs a file that cannot be read; in tests/engine/test_feed.py",
    "R410": "a rehearsal judges no seam",
    "R401": "a mistake of the engine, which nobody knows of",
    "R402": "a rehearsal judges no expectation",
    "R403": "needs a damaged run; in tests/engine/verify",
    "R412": "needs a run that was killed; in tests/engine/verify",
    "R413": "needs a run of another version; in tests/engine/verify",
    "R602": "a mistake in a fix, which nobody knows of",
    "R603": "`tost new` is tried in its own tests",
    "R604": "a page is short",
    "R606": "needs a run that was edited; in tests/cli/test_show.py",
    "R204": "needs two processes",
    "R205": "needs a full disk",
    "R206": "needs a full disk",
    "R207": "needs a full disk",
    "R308": "needs somebody to stop it",
    "R309": "needs weights that are not numbers",
    "R701": "needs a run that was stopped; in tests/engine/faults",
    "R702": "needs a run that was stopped; in tests/engine/faults",
    "R703": "needs an optimizer that is never shipped",
    "R704": "needs a run that was stopped; in tests/engine/faults",
    "R705": "needs a run that was stopped; in tests/engine/faults",
    "R706": "needs a run that was stopped; in tests/engine/faults",
    "R707": "needs a run that was stopped; in tests/engine/faults",
    "R708": "needs a run that was stopped; in tests/engine/faults",
    "R709": "needs a run that was stopped; in tests/engine/faults",
    "R710": "needs a run; in tests/engine/test_branch.py",
    "R720": "a mistake of the engine, which nobody knows of",
    "R721": "`tost verify-resume` is tried in its own tests",
    "R801": "of the command line; in tests/compare/test_sides.py",
    "R802": "needs a repository; in tests/compare/test_sides.py",
    "R803": "needs two sides; in tests/compare/test_sides.py",
    "R804": "needs a saved plan; in tests/compare/test_sides.py",
    "R830": "is for Python; in tests/build",
    "R831": "is for Python; in tests/build",
    "R901": "a mistake that nobody thought of",
}
"""Codes whose page shows a message instead of examples, and why."""

SHOWN = [code for code in CATALOGUE if code not in SEEN_ONLY]


@pytest.mark.parametrize("code", CATALOGUE)
def test_every_code_has_a_page(code: str) -> None:
    """A title line with the code, text, then its examples or what is seen."""
    text = page(code)
    assert text is not None
    first, blank, *rest = text.split("\n")
    assert re.fullmatch(rf"# {code}: [^A-Z].*[^.]", first)
    assert "" == blank
    assert len(rest[0]) > 20
    wanted = {"", "Seen"} if code in SEEN_ONLY else {"", "Wrong", "Right"}
    assert wanted == set(sections(code))
    assert all(len(line) <= 100 for line in FENCE.sub("", text).split("\n"))
    assert (title(code) or "") in first


@pytest.mark.parametrize("code", sorted(set(SEEN_ONLY) & set(CATALOGUE)))
def test_what_is_seen_is_of_the_code(code: str) -> None:
    """A message that is only shown has the code, its severity and the catalogue's words."""
    entry = CATALOGUE[code]
    shown = " ".join(FENCE.findall(sections(code)["Seen"])[0][2].split())
    assert shown.startswith(f"{entry.severity}[{code}]: ")
    pattern = re.sub(r"\\\{\w+\\\}", ".*", re.escape(entry.message))
    assert re.search(pattern, shown), pattern


def test_no_page_is_left_over() -> None:
    """Each page is of a code of the catalogue, and each excuse of one too."""
    folder = Path(__file__).parents[2] / "tostdsl" / "diagnostics" / "explain"
    assert sorted(CATALOGUE) == sorted(path.stem for path in folder.glob("*.md"))
    assert [] == sorted(set(SEEN_ONLY) - set(CATALOGUE))
    assert page("T999") is None
    assert page("../render") is None


@pytest.mark.parametrize("code", SHOWN)
def test_the_wrong_example_gives_the_code(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It gives the page's code, and no other error."""
    monkeypatch.chdir(tmp_path)
    shown = example(sections(code)["Wrong"])
    shown.write(tmp_path)
    given = codes_given(shown, monkeypatch, capsys)
    assert code in [found for _, found in given]
    assert set() == {found for weight, found in given if weight == "error"} - {code}


@pytest.mark.parametrize("code", SHOWN)
def test_the_right_example_gives_nothing(
    code: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """It is clean: no error, no warning, no note."""
    monkeypatch.chdir(tmp_path)
    shown = example(sections(code)["Right"])
    shown.write(tmp_path)
    assert [] == codes_given(shown, monkeypatch, capsys)


def _limits() -> dict[str, int]:
    """The limits of the program, by the code of what goes past them."""
    return {
        "T109": words.MAX_BYTES,
        "T110": words.MAX_NESTING,
        "T150": words.MAX_STATEMENTS,
        "T151": words.MAX_TOKEN,
        "T152": words.MAX_NAME,
        "T153": words.MAX_ITEMS,
        "T159": words.MAX_VALUES,
        "T219": resolve.MAX_DEPTH,
        "T263": load.MAX_TOTAL,
        "T310": sweeps.MAX_SWEEP,
        "T350": values.MAX_VALUES,
        "T351": sweeps.MAX_WORK,
    }


@pytest.mark.parametrize(("code", "limit"), _limits().items())
def test_a_page_tells_the_program_s_own_limit(code: str, limit: int) -> None:
    """The page, and what it shows of a message, have the number that the program has."""
    text = page(code)
    assert text is not None
    told = {f"{limit}", f"{limit:,}", f"{limit >> 20} MiB"}
    numbers = set(re.findall(r"\d[\d,]*(?: MiB)?", text))
    assert told & numbers, (told, numbers)
    seen = sections(code).get("Seen", "")
    for shown in re.findall(r"(?:limit is|more than|deeper than) (\d+)", seen):
        assert limit == int(shown)
