"""CIFAR-10, through torchvision or as an image folder."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from tostdsl.data.checked import CheckedSet
from tostdsl.data.place import broken, data_root, missing
from tostdsl.data.subset import slice_of
from tostdsl.plan.bases import DataFacts, Images, LoadOptions, Split
from tostdsl.registry import register

if TYPE_CHECKING:
    from tostdsl.data.folder import Listing

FACTS = DataFacts(3, 32, 32, 10, 50_000, 10_000)
MEAN = (0.4914, 0.4822, 0.4465)
STD = (0.2023, 0.1994, 0.2010)
BATCHES = "cifar-10-batches-py"


@register("cifar10")
class Cifar10(CheckedSet):
    """Ten classes of things, 50,000 training and 10,000 test colour images of 32 x 32.

    Two forms are read from the data root, the first one found: torchvision's
    `cifar-10-batches-py`, downloaded to there with `--download`; and the image folder
    `cifar10/{train,test}/<class>/*`, classes sorted by folder name. The run says which it was:
    images kept as JPEG are close to, not equal to, the original ones. The data root is
    `--data-root`, else the environment variable TOST_DATA, else `~/.cache/tostdsl/data`.
    Mean (0.4914, 0.4822, 0.4465), deviation (0.2023, 0.1994, 0.2010). Krizhevsky, 2009.
    """

    def facts(self) -> DataFacts:
        return FACTS

    def load(self, options: LoadOptions) -> Images:
        root = data_root(options)
        batches, folder = root / BATCHES, root / "cifar10"
        if batches.is_dir():
            return self._archive(root, batches, options, download=False)
        if folder.is_dir():
            return self._folder(folder, options)
        if options.download:
            return self._archive(root, batches, options, download=True)
        raise missing(
            self.name,
            f"`{batches}` (torchvision's form)",
            f"`{folder}/{{train,test}}/<class>/*` (an image folder)",
        )

    def _archive(self, root: Path, place: Path, options: LoadOptions, *, download: bool) -> Images:
        from tostdsl.data import archive

        parts = archive.read(self.name, "CIFAR10", root, place, download=download)
        train, test = (slice_of(_split(part), options.limit) for part in parts)
        return _images(train, test, f"CIFAR-10 in torchvision's form in {place}")

    def _folder(self, folder: Path, options: LoadOptions) -> Images:
        from tostdsl.data.cache import decoded
        from tostdsl.data.decode import Exact
        from tostdsl.data.folder import list_pair

        pair = list_pair(self.name, folder, "test")
        for listing, wanted in zip(pair, (FACTS.train_size, FACTS.test_size), strict=True):
            found = len(listing.files), len(listing.classes)
            if found != (wanted, FACTS.classes):
                reason = f"{wanted} images in 10 classes are wanted, found {found[0]} in {found[1]}"
                raise broken(self.name, listing.folder, reason)
        form = Exact(*FACTS.shape)
        train, test = (decoded(part, form, options.limit) for part in pair)
        kinds = " and ".join(_kinds(pair[0]))
        return _images(train, test, f"CIFAR-10 as an image folder of {kinds} files in {folder}")


def _split(part: Any) -> Split:
    import numpy as np

    images = np.ascontiguousarray(part.data.transpose(0, 3, 1, 2))
    return Split(images, np.asarray(part.targets, dtype=np.int64))


def _kinds(listing: Listing) -> list[str]:
    """The kinds of files of a listing, by suffix."""
    names = {file.name.rpartition(".")[2].upper() for file in listing.files}
    return sorted({"JPEG" if name == "JPG" else name for name in names})


def _images(train: Split, test: Split, origin: str) -> Images:
    facts = DataFacts(*FACTS.shape, FACTS.classes, len(train.labels), len(test.labels))
    return Images(facts, train, test, MEAN, STD, origin)
