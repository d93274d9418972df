"""What CIFAR-10 and CIFAR-100 share: their two forms, and how they are read."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from tostdsl.data.checked import CheckedSet
from tostdsl.data.place import broken, data_root, missing
from tostdsl.data.subset import slice_of
from tostdsl.plan.bases import DataFacts, Images, LoadOptions, Split

if TYPE_CHECKING:
    from tostdsl.data.folder import Listing


class Cifar(CheckedSet):
    """Base of both."""

    known: ClassVar[DataFacts]
    mean: ClassVar[tuple[float, float, float]]
    std: ClassVar[tuple[float, float, float]]
    title: ClassVar[str]
    batches: ClassVar[str]
    """The folder that torchvision makes."""

    def facts(self) -> DataFacts:
        return self.known

    def load(self, options: LoadOptions) -> Images:
        root = data_root(options)
        batches, folder = root / self.batches, root / self.name
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

        parts = archive.read(self.name, self.name.upper(), root, place, download=download)
        train, test = (slice_of(_split(part), options.limit) for part in parts)
        return self._images(train, test, f"{self.title} in torchvision's form in {place}")

    def _folder(self, folder: Path, options: LoadOptions) -> Images:
        from tostdsl.data.cache import decoded
        from tostdsl.data.decode import Exact
        from tostdsl.data.folder import list_pair

        known = self.known
        pair = list_pair(self.name, folder, "test")
        for listing, wanted in zip(pair, (known.train_size, known.test_size), strict=True):
            found = len(listing.files), len(listing.classes)
            if found != (wanted, known.classes):
                reason = (
                    f"{wanted} images in {known.classes} classes are wanted, "
                    f"found {found[0]} in {found[1]}"
                )
                raise broken(self.name, listing.folder, reason)
        form = Exact(*known.shape)
        train, test = (decoded(part, form, options.limit) for part in pair)
        kinds = " and ".join(_kinds(pair[0]))
        origin = f"{self.title} as an image folder of {kinds} files in {folder}"
        return self._images(train, test, origin)

    def _images(self, train: Split, test: Split, origin: str) -> Images:
        sizes = len(train.labels), len(test.labels)
        facts = DataFacts(*self.known.shape, self.known.classes, *sizes)
        return Images(facts, train, test, self.mean, self.std, origin)


def _split(part: Any) -> Split:
    import numpy as np

    images = np.ascontiguousarray(part.data.transpose(0, 3, 1, 2))
    return Split(images, np.asarray(part.targets, dtype=np.int64))


def _kinds(listing: Listing) -> list[str]:
    """The kinds of files of a listing, by suffix."""
    names = {file.name.rpartition(".")[2].upper() for file in listing.files}
    return sorted({"JPEG" if name == "JPG" else name for name in names})
