"""Tiny ImageNet, in the layout it is published in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, ClassVar

from tostdsl.data.checked import CheckedSet
from tostdsl.data.place import broken, data_root, missing
from tostdsl.plan.bases import DataFacts, Images, LoadOptions
from tostdsl.registry import register

if TYPE_CHECKING:
    from tostdsl.data.folder import File, Listing

FOLDER = "tiny-imagenet-200"
URL = "http://cs231n.stanford.edu/tiny-imagenet-200.zip"
MD5 = "90528d7ca1a48142e341f4ef8d21d0de"


@register("tiny_imagenet")
class TinyImageNet(CheckedSet):
    """200 classes of ImageNet, 100,000 training and 10,000 test colour images of 64 x 64.

    Read from `tiny-imagenet-200` under the data root as it is published: class names in
    `wnids.txt`, training images in `train/<class>/images`, 500 each, and the validation images in
    `val/images` with their classes in `val/val_annotations.txt`. Those are the test images here,
    as in the literature: the published test part has no labels. Classes are numbered by name, not
    by their place in `wnids.txt`; gray images become RGB. With `--download` the archive (248 MB)
    is fetched, checked and unpacked there. The data root is `--data-root`, else the environment
    variable TOST_DATA, else `~/.cache/tostdsl/data`. Decoded images are kept in the user's cache
    folder. Mean (0.4802, 0.4481, 0.3975), deviation (0.2770, 0.2691, 0.2821) of the training
    pixels. Le and Yang, 2015.
    """

    other_names = MappingProxyType(
        dict.fromkeys(("tinyimagenet", "tiny_imagenet_200", "tinyimagenet200"), "tiny_imagenet")
    )

    known: ClassVar[DataFacts] = DataFacts(3, 64, 64, 200, 100_000, 10_000)

    def facts(self) -> DataFacts:
        return self.known

    def load(self, options: LoadOptions) -> Images:
        from tostdsl.data import archive
        from tostdsl.data.cache import decoded
        from tostdsl.data.decode import Coloured

        folder = data_root(options) / FOLDER
        if not folder.is_dir():
            if not options.download:
                raise missing(self.name, f"`{folder}` (as it is published)")
            archive.unpack(self.name, URL, MD5, folder)
        form = Coloured(*self.known.shape)
        pair = self._listings(folder)
        train, test = (decoded(part, form, options.limit) for part in pair)
        sizes = len(train.labels), len(test.labels)
        facts = DataFacts(*self.known.shape, self.known.classes, *sizes)
        mean, std = (0.4802, 0.4481, 0.3975), (0.2770, 0.2691, 0.2821)
        return Images(facts, train, test, mean, std, f"Tiny ImageNet in {folder}")

    def _listings(self, folder: Path) -> tuple[Listing, Listing]:
        from tostdsl.data.folder import Listing, unreadable

        try:
            classes = tuple(sorted(set((folder / "wnids.txt").read_text("utf-8").split())))
            train = self._training(folder / "train", classes)
            test = self._validation(folder / "val", classes)
        except OSError as error:
            raise unreadable(error, folder) from error
        except UnicodeDecodeError as error:
            raise broken(self.name, folder, "its lists of classes are not text") from error
        wanted = self.known.classes, self.known.train_size, self.known.test_size
        found = len(classes), len(train), len(test)
        if found != wanted:
            said = ("{} classes with {} training and {} validation images".format(*each)
                    for each in (wanted, found))  # fmt: skip
            raise broken(self.name, folder, " are wanted, found ".join(said))
        return (
            Listing(folder / "train", classes, tuple(train)),
            Listing(folder / "val", classes, tuple(test)),
        )

    def _training(self, folder: Path, classes: tuple[str, ...]) -> list[File]:
        from tostdsl.data.folder import files_in

        found: list[File] = []
        for label, each in enumerate(classes):
            found += sorted(files_in(folder, f"{each}/images", label), key=lambda file: file.name)
        return found

    def _validation(self, folder: Path, classes: tuple[str, ...]) -> list[File]:
        """The annotated images; a line is a file's name, its class and a box around the thing."""
        from tostdsl.data.folder import files_in, shown_names

        lines = (folder / "val_annotations.txt").read_text("utf-8").splitlines()
        told = dict(line.split("\t")[:2] for line in lines if "\t" in line)
        numbers = {each: label for label, each in enumerate(classes)}
        files = {file.name.rpartition("/")[2]: file for file in files_in(folder, "images", 0)}
        odd = sorted(name for name in told if name in files and told[name] not in numbers)
        for reason, names in (
            ("`val_annotations.txt` has no class of `wnids.txt` for", odd),
            ("`val_annotations.txt` does not name", sorted(files.keys() - told.keys())),
            ("`val/images` does not hold", sorted(told.keys() - files.keys())),
        ):
            if names:
                raise broken(self.name, folder.parent, f"{reason} {shown_names(names)}")
        labelled = [replace(file, label=numbers[told[name]]) for name, file in files.items()]
        return sorted(labelled, key=lambda file: (file.label, file.name))
