"""Files that are whole or not there: each byte is on disk before a name says so."""

from __future__ import annotations

import errno
import os
import shutil
from pathlib import Path

from tostdsl.plan.marker import regular

GONE = "the run folder is gone"
"""Why nothing can be written, in words, when somebody has removed the folder of a run."""
REPLACED = "the run folder is another's by now"
"""The same when another run has been put, or was begun, in its place."""
UNLOCKED = "run.lock is gone from the run folder"
"""The same when another run could begin in it, or has an empty folder in its place."""
UNKNOWN = (errno.EOPNOTSUPP, errno.ENOSYS, errno.EINVAL)
"""What file systems say that cannot set room aside."""


class Disk:
    """The file system as checkpoints use it: one method a call, so that each can fail in a test.

    Raises:
        OSError: whatever the file system says.

    """

    def make(self, folder: Path) -> None:
        """Make a folder in one that is there: a run folder that has gone is never made anew."""
        folder.mkdir(exist_ok=True)

    def write(self, path: Path, content: bytes) -> None:
        """Make a file that is not there yet; its content is on disk when this returns."""
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        with open(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())

    def sync(self, path: Path) -> None:
        """Return when a folder's names, or a file's content, are on disk."""
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)

    def rename(self, old: Path, new: Path) -> None:
        """Give a file or folder another name, in one step."""
        old.rename(new)

    def remove(self, path: Path) -> None:
        """Remove a file, or a folder with all that is in it."""
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink()

    def read(self, path: Path) -> bytes:
        """The content of a regular file; a pipe that nobody writes to does not keep it waiting."""
        return regular(path)

    def reserve(self, path: Path, size: int) -> None:
        """Find out whether so many bytes can be written: a file of that size, made and removed.

        Nothing is found out on a file system that cannot set room aside.
        """
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
        try:
            if hasattr(os, "posix_fallocate"):
                os.posix_fallocate(descriptor, 0, max(1, size))
        except OSError as error:
            if error.errno not in UNKNOWN:
                raise
        finally:
            os.close(descriptor)
            path.unlink()
