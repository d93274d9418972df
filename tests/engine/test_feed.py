"""Batches as functions of seed, epoch and index."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, ClassVar

import numpy as np
import pytest
import torch

from tostdsl.data.augment import Crop, Cutout, Flip
from tostdsl.diagnostics import TostError
from tostdsl.engine.ahead import Ahead, Ask, Reading
from tostdsl.engine.feed import Feed
from tostdsl.plan.bases import DataFacts, DataSet, Images, Split
from tostdsl.units import Percent

COUNT, TESTS = 103, 31
PATIENCE = 60
"""Seconds to wait for a thread that ends at once."""
Threads = Callable[[], list[threading.Thread]]
AUGMENT = (Crop(padding=2), Flip(), Cutout(size=3))


class Small(DataSet):
    name: ClassVar[str] = "small"


def images() -> Images:
    """Images whose first pixel is their index, so that they can be told apart."""
    random = np.random.default_rng(0)

    def split(count: int) -> Split:
        pixels = random.integers(0, 256, (count, 3, 8, 8), dtype=np.uint8)
        pixels[:, 0, 0, 0] = np.arange(count)
        return Split(pixels, random.integers(0, 10, count))

    facts = DataFacts(3, 8, 8, 10, COUNT, TESTS)
    return Images(facts, split(COUNT), split(TESTS), (0.4, 0.5, 0.6), (0.2, 0.3, 0.25), "here")


def feed(seed: int = 1, validation: int = 0, limit: int | None = None, **given: Any) -> Feed:
    options = {name: given.pop(name) for name in ("channels_last", "max_device_bytes") if
               name in given}  # fmt: skip
    spec = Small(**{"batch": 10, **given}, validation=Percent.from_json({"percent": validation}))
    return Feed(images(), spec, "cpu", seed, limit, **options)


def numbers(batch: torch.Tensor) -> list[int]:
    """The indices of normalised images that were not augmented."""
    return (batch[:, 0, 0, 0] * 0.2 + 0.4).mul(255).round().int().tolist()


def epoch_of(source: Feed, epoch: int) -> list[int]:
    batches = (source.train_batch(epoch, index) for index in range(source.steps_per_epoch))
    return [number for batch in batches for number in numbers(batch.images)]


def test_an_epoch_takes_every_image_at_most_once() -> None:
    """All but the last short batch are taken, none twice, and each epoch leaves out others."""
    source = feed()
    assert 10 == source.steps_per_epoch
    epochs = [epoch_of(source, epoch) for epoch in range(6)]
    for taken in epochs:
        assert 100 == len(taken) == len(set(taken))
    assert set(range(COUNT)) == set().union(*epochs)
    assert 6 == len({tuple(taken) for taken in epochs})


def test_images_are_normalised_and_labelled() -> None:
    """A batch is (pixel / 255 - mean) / std of its images, with their labels as targets."""
    raw, batch = images(), feed().train_batch(0, 3)
    chosen = numbers(batch.images)
    mean, std = (np.array(values)[:, None, None] for values in (raw.mean, raw.std))
    expected = (raw.train.images[chosen] / 255 - mean) / std
    assert np.allclose(expected, batch.images.numpy(), rtol=1e-5, atol=1e-6)
    assert raw.train.labels[chosen].tolist() == batch.labels.tolist() == batch.targets.tolist()
    assert (torch.float32, torch.int64) == (batch.images.dtype, batch.labels.dtype)


def test_the_seed_decides_every_bit() -> None:
    """Two feeds of one seed give the same bits, another seed other batches."""
    first, again = feed(augment=AUGMENT), feed(augment=AUGMENT)
    for epoch in range(2):
        for index in range(10):
            a, b = first.train_batch(epoch, index), again.train_batch(epoch, index)
            assert torch.equal(a.images, b.images)
            assert torch.equal(a.labels, b.labels)
    assert epoch_of(feed(), 0) != epoch_of(feed(seed=2), 0)


def test_the_order_of_asking_does_not_matter() -> None:
    """A batch is the same whatever was asked before it."""
    wanted = [(0, 3), (2, 1), (0, 0), (1, 9), (2, 1)]
    used = feed(augment=AUGMENT)
    for epoch, index in wanted:
        fresh = feed(augment=AUGMENT).train_batch(epoch, index)
        assert torch.equal(fresh.images, used.train_batch(epoch, index).images)


def test_an_image_is_changed_alike_in_batches_of_any_size() -> None:
    """Augmentation belongs to the image and the epoch: 10 or 50 to a batch makes no difference."""
    small, large = feed(augment=AUGMENT), feed(augment=AUGMENT, batch=50)
    joined = torch.cat([small.train_batch(4, index).images for index in range(10)])
    assert torch.equal(joined, torch.cat([large.train_batch(4, i).images for i in range(2)]))


def test_augmentation_differs_between_epochs_and_images() -> None:
    """Over epochs an image is seen in many ways, and within one images move apart."""
    source = feed(batch=103, augment=(Crop(padding=3),))
    draws = [source._tables(epoch).draws for epoch in range(3)]
    assert 3 * COUNT == len({tuple(row) for table in draws for row in table.tolist()})


def test_an_augmentation_does_not_disturb_another() -> None:
    """Adding `crop` changes neither who is flipped nor the order of the images."""
    alone, beside = feed(augment=(Flip(),)), feed(augment=(Crop(), Flip()))
    assert torch.equal(alone._tables(5).draws, beside._tables(5).draws[:, 2:])
    assert torch.equal(alone.train_batch(5, 2).labels, beside.train_batch(5, 2).labels)


def test_the_same_augmentation_twice_draws_twice() -> None:
    """`[cutout, cutout]` cuts two places."""
    table = feed(augment=(Cutout(), Cutout()))._tables(0).draws
    assert (COUNT, 4) == table.shape
    assert not torch.equal(table[:, :2], table[:, 2:])


def test_augmentation_works_before_normalisation() -> None:
    """What a crop brings in is black: (0 - mean) / std."""
    batch = feed(augment=(Crop(padding=100),)).train_batch(0, 0).images
    black = torch.tensor([-0.4 / 0.2, -0.5 / 0.3, -0.6 / 0.25])
    gone = (batch[:, :, 0, 0] - black).abs().amax(1) < 1e-6
    assert gone.sum() >= 8


def test_validation_and_training_images_are_disjoint_and_complete() -> None:
    """The share held out, rounded down, is never trained on, and drawn by the seed."""
    source = feed(validation=25)
    assert (25, 78, TESTS) == tuple(source.size(p) for p in ("validation", "train", "test"))
    held = [n for batch, _ in source.evaluation("validation", 10) for n in numbers(batch)]
    trained = [n for batch, _ in source.evaluation("train") for n in numbers(batch)]
    assert sorted(held) == held
    assert list(range(COUNT)) == sorted(held + trained)
    for epoch in range(3):
        assert set(epoch_of(source, epoch)) <= set(trained)
    other = feed(seed=2, validation=25).evaluation("validation")
    assert held != [n for batch, _ in other for n in numbers(batch)]


def test_holding_images_out_leaves_the_others_augmentation_alone() -> None:
    """The draws belong to the image, whether or not some are held out."""
    first, second = feed(augment=AUGMENT), feed(augment=AUGMENT, validation=25)
    assert torch.equal(first._tables(1).draws, second._tables(1).draws)


def test_evaluation_is_in_order_and_plain() -> None:
    """Test images come as they are, all of them, in chunks of at most the size asked for."""
    raw, source = images(), feed(augment=AUGMENT)
    chunks = list(source.evaluation("test", 8))
    assert [8, 8, 8, 7] == [len(labels) for _, labels in chunks]
    assert list(range(TESTS)) == [n for batch, _ in chunks for n in numbers(batch)]
    assert raw.test.labels.tolist() == torch.cat([labels for _, labels in chunks]).tolist()
    assert [] == list(source.evaluation("validation"))


def test_a_batch_larger_than_the_set_is_refused() -> None:
    """A batch that cannot be filled is an error that says what fits, never cut silently."""
    with pytest.raises(TostError, match=r"T510.*93 training images"):
        feed(batch=500, validation=10)
    assert 1 == feed(batch=93, validation=10).steps_per_epoch


def test_a_limit_keeps_a_balanced_slice() -> None:
    """At most so many images a split, and validation comes out of those."""
    source = feed(limit=20, validation=50)
    assert [10, 10, 20] == [source.size(p) for p in ("train", "validation", "test")]
    parts = [labels for part in ("train", "validation") for _, labels in source.evaluation(part)]
    assert [2] * 10 == torch.cat(parts).bincount(minlength=10).tolist()


@pytest.mark.parametrize("mapped", [False, True])
def test_fetching_by_the_batch_gives_the_same_bits(mapped: bool, tmp_path: Any) -> None:
    """A set too large for the device, in memory or in a mapped file, gives the same batches."""
    loaded = images()
    if mapped:
        np.save(tmp_path / "images.npy", loaded.train.images)
        array = np.load(tmp_path / "images.npy", mmap_mode="r")
        train = Split(array, loaded.train.labels)
        loaded = Images(loaded.facts, train, loaded.test, loaded.mean, loaded.std, "there")
    spec = Small(batch=10, augment=AUGMENT)
    held = Feed(images(), spec, "cpu", 1)
    for most in (0, None):
        fetched = Feed(loaded, spec, "cpu", 1, max_device_bytes=most)
        for index in range(3):
            expected, actual = held.train_batch(1, index), fetched.train_batch(1, index)
            assert torch.equal(expected.images, actual.images)
            assert torch.equal(expected.labels, actual.labels)
        fetched.close()


@pytest.mark.parametrize("part", ["train", "validation", "test"])
def test_evaluation_by_the_batch_gives_the_same_bits(part: Any, reading: Threads) -> None:
    """Every image once, in order, whether it is on the device or read for the batch."""
    held, read = feed(validation=20), feed(validation=20, max_device_bytes=0)
    assert (True, False) == (held.resident, read.resident)
    expected, actual = list(held.evaluation(part, 7)), list(read.evaluation(part, 7))
    assert len(expected) == len(actual) > 1
    assert all(torch.equal(a, b) for one, two in zip(expected, actual, strict=True)
               for a, b in zip(one, two, strict=True))  # fmt: skip
    assert [] == reading()


@pytest.fixture
def reading() -> Threads:
    """Gives the threads that read ahead for this test and do not end."""
    before = set(threading.enumerate())

    def left() -> list[threading.Thread]:
        made = [each for each in threading.enumerate() if each.name == "ahead"]
        found = [each for each in made if each not in before]
        for each in found:
            each.join(PATIENCE)
        return [each for each in found if each.is_alive()]

    return left


def test_streamed_batches_may_be_asked_for_in_any_order(reading: Threads) -> None:
    """What was read ahead and is not asked for is dropped; epochs border on one another."""
    held, read = feed(augment=AUGMENT), feed(augment=AUGMENT, max_device_bytes=0)
    asked = [(0, 0), (0, 1), (0, 7), (0, 7), (0, 9), (1, 0), (4, 2), (0, 0), (0, 9), (1, 0), (1, 1)]
    for place in asked:
        assert torch.equal(held.train_batch(*place).images, read.train_batch(*place).images), place
    read.close()
    assert torch.equal(held.train_batch(2, 2).images, read.train_batch(2, 2).images)
    read.close()
    assert [] == reading()


class Damaged(np.ndarray):  # type: ignore[type-arg]
    """An array of which some of the images cannot be read."""

    bad: ClassVar[set[int]] = set()

    def take(self, indices: Any, *args: Any, **named: Any) -> Any:
        if self.bad & set(np.asarray(indices).tolist()):
            raise OSError(5, "Input/output error")
        return np.asarray(self).take(indices, *args, **named)


def damaged(bad: set[int]) -> Feed:
    loaded = images()
    Damaged.bad = bad
    train = Split(loaded.train.images.view(Damaged), loaded.train.labels)
    loaded = Images(loaded.facts, train, loaded.test, loaded.mean, loaded.std, "there")
    return Feed(loaded, Small(batch=10), "cpu", 1, max_device_bytes=0)


def test_an_image_that_cannot_be_read_is_an_error_of_its_own_batch() -> None:
    """The batch before it, while which it is read, is whole; the error says where it is."""
    held = feed()
    source = damaged({numbers(held.train_batch(0, 2).images)[4]})
    for index in range(2):
        assert torch.equal(held.train_batch(0, index).images, source.train_batch(0, index).images)
    for _ in range(2):
        with pytest.raises(TostError) as caught:
            source.train_batch(0, 2)
        assert ["R333"] == [d.code for d in caught.value.diagnostics]
        said = caught.value.diagnostics[0].message
        assert "batch 2 of epoch 0 cannot be read: input/output error" == said
    assert torch.equal(held.train_batch(0, 3).images, source.train_batch(0, 3).images)
    source.close()


def test_a_reader_that_does_not_answer_is_not_waited_for_for_ever(reading: Threads) -> None:
    """After its patience the one who waits is told; so it is when the thread is gone."""
    never = threading.Event()
    ahead = Ahead[bool](patience=0.2)
    with pytest.raises(Reading, match=r"nothing came in 0\.2 seconds"):
        ahead.take(Ask("a", never.wait))
    never.set()
    ahead.close()
    assert [] == reading()
    gone = Ahead[int]()
    assert 1 == gone.take(Ask("a", lambda: 1))
    gone._asks.put(None)
    assert [] == reading()
    with pytest.raises(Reading, match="the thread that reads has ended"):
        gone.take(Ask("b", lambda: 2))


def test_the_next_is_fetched_while_the_last_is_in_use() -> None:
    """It is there before anybody asks for it, and is fetched once."""
    fetched, there = [], threading.Event()

    def second() -> int:
        fetched.append(2)
        there.set()
        return 2

    with Ahead[int]() as ahead:
        assert 1 == ahead.take(Ask(1, lambda: 1), Ask(2, second))
        assert there.wait(PATIENCE)
        assert 2 == ahead.take(Ask(2, second))
    assert [2] == fetched


def test_channels_last_changes_the_layout_only() -> None:
    """The values are the same, the memory order is the one asked for."""
    plain, last = feed(augment=AUGMENT), feed(augment=AUGMENT, channels_last=True)
    a, b = plain.train_batch(0, 0).images, last.train_batch(0, 0).images
    assert torch.equal(a, b)
    assert a.is_contiguous()
    assert b.is_contiguous(memory_format=torch.channels_last)


def test_global_randomness_is_neither_used_nor_changed() -> None:
    """Dropout and the like draw what they would have drawn without a feed."""
    torch.manual_seed(3)
    expected = torch.rand(5)
    torch.manual_seed(3)
    feed(augment=AUGMENT, validation=10).train_batch(0, 0)
    assert torch.equal(expected, torch.rand(5))


def test_batches_do_not_share_memory_with_the_set() -> None:
    """Writing to a batch does not change the next time it comes."""
    source = feed()
    first = source.train_batch(0, 0)
    kept = first.images.clone()
    first.images.zero_()
    assert torch.equal(kept, source.train_batch(0, 0).images)


def test_nothing_left_to_train_on_is_an_error() -> None:
    """Holding out everything is T504 at the latest here."""
    with pytest.raises(TostError, match="T504"):
        feed(validation=100)


@pytest.mark.parametrize("index", [-1, 10])
def test_an_index_outside_the_epoch_is_an_error(index: int) -> None:
    """An epoch has `steps_per_epoch` batches, no more."""
    with pytest.raises(IndexError):
        feed().train_batch(0, index)


def test_a_share_of_the_images_is_used() -> None:
    """`use` trains on that share of the images only, the same in every epoch, held out apart."""
    source = feed(use=Percent.from_json({"percent": 50}), validation=20)
    assert (41, 10) == (source.size("train"), source.size("validation"))
    seen = {number for epoch in range(20) for number in epoch_of(source, epoch)}
    assert 41 == len(seen)


def test_drawn_batches_depend_on_seed_purpose_and_index_only() -> None:
    """They neither depend on the epoch under way nor change it."""
    source, other = feed(augment=AUGMENT), feed(augment=AUGMENT)
    first = source.drawn("a", 0)
    order = source.train_batch(1, 0)
    assert torch.equal(first.images, source.drawn("a", 0).images)
    assert torch.equal(order.images, other.train_batch(1, 0).images)
    changes = (source.drawn("a", 1), source.drawn("b", 0), feed(2, augment=AUGMENT).drawn("a", 0))
    assert all(not torch.equal(first.images, changed.images) for changed in changes)


def test_a_drawn_batch_has_different_training_images_and_their_labels() -> None:
    """None twice, none of those held out, each with its own label."""
    source, raw = feed(validation=40), images()
    held_out = set(range(COUNT)) - set(epoch_of(source, 0)) - set(epoch_of(source, 1))
    for index in range(20):
        batch = source.drawn("a", index)
        chosen = numbers(batch.images)
        assert 10 == len(set(chosen))
        assert not held_out & set(chosen)
        assert raw.train.labels[chosen].tolist() == batch.labels.tolist()
