"""What MNIST and Fashion-MNIST share: four idx files, read through torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any, ClassVar

from tostdsl.data.checked import CheckedSet
from tostdsl.data.place import broken, data_root, missing
from tostdsl.data.subset import slice_of
from tostdsl.plan.bases import DataFacts, Images, LoadOptions, Split

FILES = tuple(
    f"{part}-{what}"
    for part in ("train", "t10k")
    for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
)


class IdxSet(CheckedSet):
    """Base of both."""

    known: ClassVar[DataFacts] = DataFacts(1, 28, 28, 10, 60_000, 10_000)
    mean: ClassVar[float]
    std: ClassVar[float]
    title: ClassVar[str]
    reader: ClassVar[str]
    """The class that torchvision reads it with, and the folder that it keeps it in."""

    def facts(self) -> DataFacts:
        return self.known

    def load(self, options: LoadOptions) -> Images:
        from tostdsl.data import archive

        root = data_root(options)
        place = root / self.reader / "raw"
        there = all((place / file).is_file() for file in FILES)
        if not there and not options.download:
            raise missing(self.name, f"`{place}` (the four idx files)")
        parts = archive.read(self.name, self.reader, root, place, download=not there)
        train, test = (slice_of(self._split(part, place), options.limit) for part in parts)
        facts = DataFacts(1, 28, 28, 10, len(train.labels), len(test.labels))
        origin = f"{self.title}'s idx files in {place}"
        return Images(facts, train, test, (self.mean,), (self.std,), origin)

    def _split(self, part: Any, place: Path) -> Split:
        images, labels = part.data.numpy()[:, None], part.targets.numpy()
        wanted = self.known.train_size if part.train else self.known.test_size
        if images.shape != (wanted, *self.known.shape) or labels.shape != (wanted,):
            found = f"{images.shape} with {labels.shape}"
            raise broken(self.name, place, f"{wanted} images of 28x28 are wanted, found {found}")
        return Split(images, labels)
