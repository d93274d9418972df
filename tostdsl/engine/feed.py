"""Images to the device: batches as a pure function of (seed, epoch, index)."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import partial
from typing import Literal

import numpy as np
import torch
from torch import Tensor

from tostdsl.data.subset import slice_of
from tostdsl.diagnostics import TostError
from tostdsl.engine.ahead import Ahead, Ask, Reading
from tostdsl.engine.hooks import Batch
from tostdsl.engine.seeds import generator
from tostdsl.plan.bases import DataSet, Images, Split

Part = Literal["train", "validation", "test"]
CPU_BYTES = 2 << 30
"""Images up to so many bytes are copied into memory; larger ones stay where they are."""
GPU_SHARE = 4
"""On a GPU: up to this part (one in four) of its memory."""


def resident(split: Split, device: torch.device, most: int | None = None) -> bool:
    """Whether a split's images are kept on the device, being at most `most` bytes."""
    return bool(split.images.nbytes <= (_most(device) if most is None else most))


class _Shelf:
    """The images of one split: on the device, or left in their array and fetched by the batch."""

    def __init__(self, split: Split, device: torch.device, most: int) -> None:
        self.device = device
        self.labels = torch.from_numpy(split.labels).to(device)
        self.resident = resident(split, device, most)
        self._array = split.images
        if self.resident:
            # a mapped file cannot be written to, which torch wants of what it shares
            array = split.images if split.images.flags.writeable else np.array(split.images)
            self._images = torch.from_numpy(array).to(device)

    def take(self, places: Tensor, on_device: Tensor) -> Tensor:
        """The images (uint8, on the device) at `places`, which are given on both sides."""
        if self.resident:
            return self._images.index_select(0, on_device)
        return self.send(self.read(places))

    def read(self, places: Tensor) -> Tensor:
        """The images at `places` out of their array; for a GPU in memory that it reads itself."""
        shape = (len(places), *self._array.shape[1:])
        pinned = self.device.type == "cuda"
        images = torch.empty(shape, dtype=torch.uint8, pin_memory=pinned)
        # "raise" would take them twice; the places are the feed's own
        np.take(self._array, places.numpy(), axis=0, out=images.numpy(), mode="clip")
        return images

    def send(self, images: Tensor) -> Tensor:
        """Images of `read` on the device, without waiting for it."""
        return images.to(self.device, non_blocking=True)


@dataclass(frozen=True, slots=True)
class _Epoch:
    """The tables of one epoch: the order of the training images, and each image's draws."""

    number: int
    order: Tensor
    order_on_device: Tensor
    draws: Tensor


class Feed:
    """The images of a run on its device.

    Training images are taken in an order drawn from (seed, "order", epoch). The numbers that
    decide an image's augmentation are drawn from (seed, "augment", epoch, augmentation) for all
    images at once and looked up by the image, so they depend neither on the batch size nor on
    what was asked before. `spec.validation` percent of the training images, drawn from (seed,
    "validation"), are held out.

    Args:
        images: the loaded set.
        spec: its batch size, augmentations and validation share.
        device: where batches are wanted.
        seed: the run's seed.
        limit: at most so many images a split, balanced over the classes.
        channels_last: lay batches out with channels last in memory.
        max_device_bytes: splits larger than this are fetched from their array by the batch; by
            default 2 GiB, on a GPU a quarter of its memory.

    Raises:
        TostError: T504 when no training image is left.

    """

    def __init__(
        self,
        images: Images,
        spec: DataSet,
        device: torch.device | str,
        seed: int,
        limit: int | None = None,
        *,
        channels_last: bool = False,
        max_device_bytes: int | None = None,
    ) -> None:
        self.device = torch.device(device)
        self.spec = spec
        self.seed = seed
        self._layout = torch.channels_last if channels_last else torch.contiguous_format
        most = _most(self.device) if max_device_bytes is None else max_device_bytes
        train, test = slice_of(images.train, limit), slice_of(images.test, limit)
        self._train = _Shelf(train, self.device, most)
        self._test = _Shelf(test, self.device, most)
        count = len(train.labels)
        used, held_out = spec.used(count), spec.held_out(count)
        if held_out >= used:
            reason = f"of {used} training images {held_out} would be held out, none left to train"
            raise TostError.of("T504", name="validation", reason=reason)
        mixed = torch.randperm(count, generator=generator(seed, "validation"))
        self._members: dict[Part, Tensor] = {
            "train": mixed[held_out:used].sort().values,
            "validation": mixed[:held_out].sort().values,
            "test": torch.arange(len(test.labels)),
        }
        shape = (1, images.facts.channels, 1, 1)
        self._mean = torch.tensor(images.mean, dtype=torch.float32, device=self.device).reshape(
            shape
        )
        self._std = torch.tensor(images.std, dtype=torch.float32, device=self.device).reshape(shape)
        self.steps_per_epoch = spec.steps_per_epoch(count)
        self.batch_size = spec.batch
        if spec.batch > self.size("train"):
            raise TostError.of("T510", batch=spec.batch, count=self.size("train"))
        self._epoch: _Epoch | None = None
        self._ahead: Ahead[Tensor] = Ahead()

    @property
    def resident(self) -> bool:
        """Whether all images are on the device; else they stream there batch by batch."""
        return self._train.resident and self._test.resident

    def close(self) -> None:
        """End what fetches batches ahead, if anything does."""
        self._ahead.close()

    def size(self, part: Part) -> int:
        """How many images a part has; `train` is without those held out."""
        return len(self._members[part])

    def train_batch(self, epoch: int, index: int) -> Batch:
        """The batch at an index (below `steps_per_epoch`) of an epoch (from 0).

        Where images stream the batch after it is read meanwhile. `TostError` R333 where they
        cannot be read.
        """
        if not 0 <= index < self.steps_per_epoch:
            raise IndexError(f"batch {index} of {self.steps_per_epoch}")
        tables = self._tables(epoch)
        here = slice(index * self.batch_size, (index + 1) * self.batch_size)
        places = tables.order_on_device[here]
        if self._train.resident:
            images = self._floats(self._train.take(tables.order[here], places))
        else:
            images = self._floats(self._streamed(epoch, index))
        if self.spec.augment:
            draws, start = tables.draws.index_select(0, places), 0
            for change in self.spec.augment:
                images = change.apply(images, draws[:, start : start + change.numbers])
                start += change.numbers
        labels = self._train.labels.index_select(0, places)
        return Batch(self._normal(images), labels, labels)

    def drawn(self, purpose: str, index: int) -> Batch:
        """A batch of different training images, augmented, drawn by (seed, purpose, index)."""
        source = generator(self.seed, "batch", purpose, index)
        members = self._members["train"]
        places = members[torch.randperm(len(members), generator=source)[: self.batch_size]]
        there = places.to(self.device)
        images = self._floats(self._train.take(places, there))
        for change in self.spec.augment:
            draws = torch.rand(len(places), change.numbers, generator=source)
            images = change.apply(images, draws.to(self.device))
        labels = self._train.labels.index_select(0, there)
        return Batch(self._normal(images), labels, labels)

    def sample(self, purpose: str, count: int) -> Batch:
        """At most `count` training images, not augmented, drawn by (seed, purpose)."""
        members = self._members["train"]
        source = generator(self.seed, "sample", purpose)
        places = members[torch.randperm(len(members), generator=source)[:count]]
        there = places.to(self.device)
        labels = self._train.labels.index_select(0, there)
        return Batch(self._normal(self._floats(self._train.take(places, there))), labels, labels)

    def balanced(self, purpose: str, each: int) -> tuple[Tensor, Tensor]:
        """At most `each` training images of every class, and labels; not augmented.

        Drawn by (seed, purpose) and given in the order of the set.
        """
        members = self._members["train"]
        source = generator(self.seed, "balanced", purpose)
        mixed = members[torch.randperm(len(members), generator=source)]
        labels = self._train.labels.cpu()[mixed]
        taken = [mixed[labels == label][:each] for label in torch.unique(labels)]
        places = torch.cat(taken).sort().values
        there = places.to(self.device)
        images = self._normal(self._floats(self._train.take(places, there)))
        return images, self._train.labels.index_select(0, there)

    def evaluation(self, part: Part, size: int = 512) -> Iterator[tuple[Tensor, Tensor]]:
        """Images and labels of a part in order, without augmentation, `size` at a time."""
        shelf = self._test if part == "test" else self._train
        members = self._members[part]
        pieces = torch.split(members, size) if len(members) else ()
        asks = [Ask(number, partial(shelf.read, places)) for number, places in enumerate(pieces)]
        with Ahead[Tensor]() as ahead:
            for number, places in enumerate(pieces):
                there = places.to(self.device)
                if shelf.resident:
                    taken = shelf.take(places, there)
                else:
                    where = f"{part} images {number * size} to {number * size + len(places) - 1}"
                    following = asks[number + 1] if number + 1 < len(asks) else None
                    taken = shelf.send(_read(ahead, asks[number], following, where))
                yield self._normal(self._floats(taken)), shelf.labels.index_select(0, there)

    def _streamed(self, epoch: int, index: int) -> Tensor:
        """The images of a training batch, and those of the next from here on."""
        last = index + 1 == self.steps_per_epoch
        following = (epoch + 1, 0) if last else (epoch, index + 1)
        where = f"batch {index} of epoch {epoch}"
        return self._train.send(
            _read(self._ahead, self._asked(epoch, index), self._asked(*following), where)
        )

    def _asked(self, epoch: int, index: int) -> Ask[Tensor]:
        def fetch() -> Tensor:
            held = self._epoch
            order = held.order if held and held.number == epoch else self._order(epoch)
            here = slice(index * self.batch_size, (index + 1) * self.batch_size)
            return self._train.read(order[here])

        return Ask((epoch, index), fetch)

    def _order(self, epoch: int) -> Tensor:
        members = self._members["train"]
        return members[torch.randperm(len(members), generator=generator(self.seed, "order", epoch))]

    def _tables(self, epoch: int) -> _Epoch:
        if self._epoch is None or self._epoch.number != epoch:
            order = self._order(epoch)
            draws = self._draws(epoch).to(self.device)
            self._epoch = _Epoch(epoch, order, order.to(self.device), draws)
        return self._epoch

    def _draws(self, epoch: int) -> Tensor:
        """Random numbers for every training image, those held out too, so that its own stay."""
        count, columns = len(self._train.labels), []
        names = [change.name for change in self.spec.augment]
        for place, change in enumerate(self.spec.augment):
            before = names[:place].count(change.name)
            source = generator(self.seed, "augment", epoch, change.name, before)
            columns.append(torch.rand(count, change.numbers, generator=source))
        return torch.cat(columns, dim=1) if columns else torch.empty(count, 0)

    def _floats(self, images: Tensor) -> Tensor:
        return images.to(torch.float32).div_(255)

    def _normal(self, images: Tensor) -> Tensor:
        normal = images.sub(self._mean).div_(self._std)
        return normal.contiguous(memory_format=self._layout)


def _read(
    ahead: Ahead[Tensor], ask: Ask[Tensor], following: Ask[Tensor] | None, what: str
) -> Tensor:
    try:
        return ahead.take(ask, following)
    except Reading as error:
        raise TostError.of("R333", what=what, reason=str(error)) from error


def _most(device: torch.device) -> int:
    if device.type == "cuda":
        return int(torch.cuda.get_device_properties(device).total_memory) // GPU_SHARE
    return CPU_BYTES
