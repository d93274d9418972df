"""The Street View House Numbers, through torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from tostdsl.data.checked import CheckedSet
from tostdsl.data.place import broken, data_root, missing
from tostdsl.data.subset import slice_of
from tostdsl.plan.bases import DataFacts, Images, LoadOptions, Split
from tostdsl.registry import register

FILES = ("train_32x32.mat", "test_32x32.mat")


@register("svhn")
class Svhn(CheckedSet):
    """Digits of house numbers, 73,257 training and 26,032 test colour images of 32 x 32.

    The cropped digits, without the 531,131 easier ones of the set's `extra` part; class 0 is the
    digit 0. Read from `train_32x32.mat` and `test_32x32.mat` in `svhn` under the data root, or in
    the data root itself, where torchvision keeps them; downloaded to `svhn` with `--download`. The
    data root is `--data-root`, else the environment variable TOST_DATA, else
    `~/.cache/tostdsl/data`. Mean (0.4377, 0.4438, 0.4728), deviation (0.1980, 0.2010, 0.1970).
    A mirrored digit is no digit: leave out `flip`. Netzer et al., 2011.
    """

    known: ClassVar[DataFacts] = DataFacts(3, 32, 32, 10, 73_257, 26_032)

    def facts(self) -> DataFacts:
        return self.known

    def load(self, options: LoadOptions) -> Images:
        from tostdsl.data import archive

        root = data_root(options)
        places = root / "svhn", root
        there = [place for place in places if all((place / file).is_file() for file in FILES)]
        if not there and not options.download:
            files = " and ".join(f"`{file}`" for file in FILES)
            raise missing(self.name, f"`{places[0]}`", f"`{places[1]}` ({files})")
        place = (*there, *places)[0]
        splits = ({"split": "train"}, {"split": "test"})
        parts = archive.read(self.name, "SVHN", place, place, download=not there, parts=splits)
        train, test = (slice_of(self._split(part, place), options.limit) for part in parts)
        facts = DataFacts(3, 32, 32, 10, len(train.labels), len(test.labels))
        mean, std = (0.4377, 0.4438, 0.4728), (0.1980, 0.2010, 0.1970)
        return Images(facts, train, test, mean, std, f"SVHN's cropped digits in {place}")

    def _split(self, part: Any, place: Path) -> Split:
        import numpy as np

        wanted = self.known.train_size if part.split == "train" else self.known.test_size
        if part.data.shape != (wanted, *self.known.shape) or part.labels.shape != (wanted,):
            found = f"{part.data.shape} with {part.labels.shape}"
            raise broken(self.name, place, f"{wanted} images of 32x32 are wanted, found {found}")
        return Split(np.ascontiguousarray(part.data), part.labels)
