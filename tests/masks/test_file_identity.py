"""What of the mask `file` is in a plan's fingerprint."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.plans import plan_of
from tostdsl import registry
from tostdsl.compile.compiler import compile_source
from tostdsl.plan.plan import Plan
from tostdsl.source import Source

HEAD = "model resnet20\ndata cifar10\ntrain for 160 epochs\nmask file({})\n"
ONE, OTHER = "01" * 32, "ab" * 32


def plan(arguments: str) -> Plan:
    found = plan_of(HEAD.format(arguments))
    assert found is not None
    return found


def codes(arguments: str) -> list[str]:
    return [d.code for d in compile_source(Source("r.tost", HEAD.format(arguments))).diagnostics]


def test_with_a_digest_the_content_counts_and_not_the_place() -> None:
    """Another path is the same plan, another digest is another; the path is in the plan's JSON."""
    here, there = (plan(f'"{path}", sha256="{ONE}"') for path in ("a.pth", "b/c.pth"))
    assert here.fingerprint == there.fingerprint
    assert here.fingerprint != plan(f'"a.pth", sha256="{OTHER}"').fingerprint
    assert here != there
    assert there == Plan.from_json(there.to_json(), registry.get)


def test_without_one_the_path_is_all_there_is() -> None:
    """Another path is another plan, and the check warns that the content is not in it."""
    assert plan('"a.pth"').fingerprint != plan('"b.pth"').fingerprint
    assert ["W060"] == codes('"a.pth"')
    assert [] == codes(f'"a.pth", sha256="{ONE}"')


@pytest.mark.parametrize("how", ["carrier=zeros", "ones=pruned", "outside=ignore"])
def test_how_it_is_read_counts(how: str) -> None:
    """What changes the masks changes the plan."""
    assert plan(f'"a", sha256="{ONE}"') != plan(f'"a", sha256="{ONE}", {how}')


def test_a_digest_is_64_small_hex_digits() -> None:
    """Others are refused; one in capitals with the right way to write it."""
    for wrong in ("", "0" * 63, "0" * 65, "g" * 64):
        assert ["T303"] == codes(f'"a", sha256="{wrong}"')
    text = HEAD.format(f'"a", sha256="{OTHER.upper()}"')
    (found,) = compile_source(Source("r.tost", text)).diagnostics
    assert ("T303", f'write `sha256="{OTHER}"`') == (found.code, found.help)


def test_zeros_have_no_ones() -> None:
    """A choice without a meaning is refused."""
    assert ["T504"] == codes(f'"a", sha256="{ONE}", carrier=zeros, ones=pruned')


def test_checking_opens_no_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A recipe's path is not even looked for while it is checked."""

    def no(*_args: object, **_named: object) -> None:
        raise AssertionError("a file was looked at")

    (tmp_path / "m.pth").write_bytes(b"x")
    text = HEAD.format(f'"{(tmp_path / "m.pth").as_posix()}", sha256="{ONE}"')
    assert plan_of(text) is not None  # what is imported on the way is imported now
    with monkeypatch.context() as patched:
        for name in ("open", "stat", "lstat", "scandir"):
            patched.setattr(f"os.{name}", no)
        patched.setattr("builtins.open", no)
        found = plan_of(text)
    assert found is not None
