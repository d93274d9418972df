"""A program at a real (pseudo) terminal, typed at as by a person."""

from __future__ import annotations

import os
import pty
import re
import select
import subprocess
import sys
import time
from pathlib import Path

PATIENCE = 30.0


class Terminal:
    """A program with a terminal of its own; what it shows is kept in `seen`."""

    def __init__(self, argv: list[str], cwd: Path) -> None:
        env = {**os.environ, "TERM": "dumb", "PATH": f"{cwd}:{os.environ['PATH']}"}
        self.file, theirs = pty.openpty()
        self.child = subprocess.Popen(
            argv, cwd=cwd, env=env, stdin=theirs, stdout=theirs, stderr=theirs,
            start_new_session=True,
        )  # fmt: skip
        os.close(theirs)
        self.seen = ""

    def until(self, pattern: str) -> str:
        """What is shown up to a pattern, which is then behind us."""
        end = time.monotonic() + PATIENCE
        while not (match := re.search(pattern, self.seen)):
            left = end - time.monotonic()
            assert left > 0, f"no {pattern!r} in {self.seen!r}"
            if select.select([self.file], [], [], left)[0]:
                try:
                    self.seen += os.read(self.file, 65536).decode(errors="replace")
                except OSError:  # the program has ended
                    end = 0
        before, self.seen = self.seen[: match.end()], self.seen[match.end() :]
        return before

    def type(self, text: str) -> None:
        """Type a text."""
        os.write(self.file, text.encode())

    def end(self) -> int:
        """The exit status, once the program is done."""
        return self.child.wait(PATIENCE)

    def __enter__(self) -> Terminal:
        return self

    def __exit__(self, *_: object) -> None:
        self.child.kill()
        self.child.wait()
        os.close(self.file)


def script(folder: Path) -> None:
    """A `tost` in a folder, as an installed package has one on the path."""
    path = folder / "tost"
    code = "from tostdsl.cli.main import entry; entry()"
    path.write_text(f'#!/bin/sh\nexec "{sys.executable}" -c "{code}" "$@"\n')
    path.chmod(0o755)
