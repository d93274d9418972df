"""MNIST, through torchvision."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from tostdsl.data import archive
from tostdsl.data.checked import CheckedSet
from tostdsl.data.place import broken, data_root, missing
from tostdsl.data.subset import slice_of
from tostdsl.plan.bases import DataFacts, Images, LoadOptions, Split
from tostdsl.registry import register

FILES = tuple(
    f"{part}-{what}"
    for part in ("train", "t10k")
    for what in ("images-idx3-ubyte", "labels-idx1-ubyte")
)
FACTS = DataFacts(1, 28, 28, 10, 60_000, 10_000)


@register("mnist")
class Mnist(CheckedSet):
    """Handwritten digits, 60,000 training and 10,000 test gray images of 28 x 28.

    Read from `MNIST/raw` (the four idx files) under the data root, where torchvision keeps it,
    and downloaded to there with `--download`. The data root is `--data-root`, else the
    environment variable TOST_DATA, else `~/.cache/tostdsl/data`. Mean 0.1307, deviation 0.3081.
    LeCun, Bottou, Bengio and Haffner, 1998.
    """

    def facts(self) -> DataFacts:
        return FACTS

    def load(self, options: LoadOptions) -> Images:
        root = data_root(options)
        place = root / "MNIST" / "raw"
        there = all((place / file).is_file() for file in FILES)
        if not there and not options.download:
            raise missing(self.name, f"`{place}` (the four idx files)")
        parts = archive.read(self.name, "MNIST", root, place, download=not there)
        train, test = (slice_of(_split(part, place), options.limit) for part in parts)
        facts = DataFacts(1, 28, 28, 10, len(train.labels), len(test.labels))
        return Images(facts, train, test, (0.1307,), (0.3081,), f"MNIST's idx files in {place}")


def _split(part: Any, place: Path) -> Split:
    images, labels = part.data.numpy()[:, None], part.targets.numpy()
    wanted = FACTS.train_size if part.train else FACTS.test_size
    if images.shape != (wanted, *FACTS.shape) or labels.shape != (wanted,):
        reason = f"{wanted} images of 28x28 are wanted, found {images.shape} with {labels.shape}"
        raise broken("mnist", place, reason)
    return Split(images, labels)
