"""Data sets of a user's own: what their arrays may be, and what they become."""

from __future__ import annotations

import hashlib

import numpy as np
import pytest

from tests.conftest import Write
from tostdsl.data.python import PythonData
from tostdsl.diagnostics import TostError
from tostdsl.plan.bases import Images, LoadOptions

HEAD = "import numpy as np\nimport torch\nr = np.random.default_rng(0)\n"
GOOD = "b(20, 3, 8, 6), np.arange(20) % 4, b(8, 3, 8, 6), np.arange(8) % 4"


def loaded(own: Write, returned: str, limit: int | None = None) -> Images:
    """What a function becomes that returns so."""
    name = f"sets_{hashlib.sha256(returned.encode()).hexdigest()[:12]}"
    body = "def b(*shape): return r.integers(0, 256, shape, dtype=np.uint8)\n"
    own(f"{name}.py", f"{HEAD}{body}def f():\n    return {returned}\n")
    return PythonData(function=f"{name}:f").load(LoadOptions(limit=limit))


def test_bytes_channels_first_are_taken_as_they_are(own: Write) -> None:
    """The very pixels and labels, with their own mean and deviation."""
    found = loaded(own, GOOD)
    random = np.random.default_rng(0)
    train = random.integers(0, 256, (20, 3, 8, 6), dtype=np.uint8)
    test = random.integers(0, 256, (8, 3, 8, 6), dtype=np.uint8)
    assert np.array_equal(train, found.train.images)
    assert np.array_equal(test, found.test.images)
    assert np.array_equal(np.arange(20) % 4, found.train.labels)
    assert ("int64", "int64") == (found.train.labels.dtype.name, found.test.labels.dtype.name)
    facts = found.facts
    assert ((3, 8, 6), 4, 20, 8) == (facts.shape, facts.classes, facts.train_size, facts.test_size)
    np.testing.assert_allclose(train.mean((0, 2, 3)) / 255, found.mean, rtol=1e-12)
    np.testing.assert_allclose(train.std((0, 2, 3)) / 255, found.std, rtol=1e-12)
    assert found.origin.endswith(".py")
    assert "sets_" in found.origin


def test_a_limit_takes_a_slice_and_tells_the_whole_size(own: Write) -> None:
    """As a rehearsal wants it: few images of each class, the length of an epoch as it is."""
    found = loaded(own, GOOD, limit=8)
    assert [2, 2, 2, 2] == np.bincount(found.train.labels).tolist()
    assert (20, 8) == (found.facts.train_size, found.facts.test_size)
    assert loaded(own, GOOD.replace("20", "40")).facts.train_size == 40


@pytest.mark.parametrize(
    ("shape", "taken"),
    [
        ("(20, 8, 8)", (1, 8, 8)),
        ("(20, 8, 6)", (1, 8, 6)),
        ("(20, 8, 8, 3)", (3, 8, 8)),
        ("(20, 8, 8, 1)", (1, 8, 8)),
        ("(20, 1, 8, 8)", (1, 8, 8)),
        ("(20, 3, 8, 3)", (3, 8, 3)),
        ("(20, 16, 8, 8)", (16, 8, 8)),
        ("(20, 8, 8, 8)", (8, 8, 8)),
        ("(20, 10, 8, 6)", (10, 8, 6)),
        ("(20, 3, 3, 3)", (3, 3, 3)),
        ("(20, 48, 64, 3)", None),
        ("(20, 8, 8, 6)", None),
        ("(20, 6, 100, 1)", None),
    ],
)
def test_axes_are_taken_where_they_are_plain(
    own: Write, shape: str, taken: tuple[int, ...] | None
) -> None:
    """Channels come first; last is understood of square images of few; the rest is asked about."""
    returned = f"b(*{shape}), np.arange(20) % 4, b(*{shape}), np.arange(20) % 4"
    if taken is not None:
        found = loaded(own, returned)
        assert taken == found.facts.shape
        written = np.random.default_rng(0).integers(0, 256, eval(shape), dtype=np.uint8)
        last = written.ndim == 4 and taken != written.shape[1:]
        pixels = np.moveaxis(written, -1, 1) if last else written.reshape(20, *taken)
        assert np.array_equal(pixels, found.train.images)
        return
    with pytest.raises(TostError) as caught:
        loaded(own, returned)
    (said,) = caught.value.diagnostics
    assert "which axis of the training images has the channels is not plain" in said.message
    assert "images.transpose(0, 3, 1, 2)" in (said.help or "")


def test_tensors_are_arrays_too(own: Write) -> None:
    """torch's, also in a list, and labels of any whole type."""
    tensors = (
        "[torch.from_numpy(b(20, 8, 8)), torch.arange(20, dtype=torch.int16) % 2, "
        "torch.from_numpy(b(4, 8, 8)), np.arange(4, dtype=np.uint8) % 2]"
    )
    arrays = "b(20, 8, 8), np.arange(20) % 2, b(4, 8, 8), np.arange(4) % 2"
    found, same = loaded(own, tensors), loaded(own, arrays)
    for one, other in ((found.train, same.train), (found.test, same.test)):
        assert np.array_equal(one.images, other.images)
        assert np.array_equal(one.labels, other.labels)
    assert "int64" == found.train.labels.dtype.name


@pytest.mark.parametrize(
    ("returned", "message", "help"),
    [
        ("None", "it gives a `NoneType`, not four arrays", "train_images, train_labels"),
        ("1, 2, 3", "it gives a `tuple` of 3, not four arrays", "train_images, train_labels"),
        ("I.tolist(), L, I, L", "the training images are a `list`", "numpy array"),
        ("I, list(L), I, L", "the training labels are a `list`", "numpy array"),
        ("I / 255, L, I, L", "the training images are of float64", "(images * 255).round()"),
        ("I, L, torch.rand(4, 8, 8), L", "the test images are of float32", "normalised for you"),
        ("torch.rand(4, 8, 8).bfloat16(), L, I, L", "the training images are of float32", "* 255"),
        ("I.astype(int), L, I, L", "the training images are of int64", "astype('uint8')"),
        ("I > 9, L, I, L", "the training images are of bool", "astype('uint8')"),
        ("I[0], L, I, L", "the training images are 8x8, not N x C x H x W", ""),
        ("I, L, I[:0], L[:0]", "there are no test images: their shape is 0x1x8x8", ""),
        ("I, L / 1, I, L", "the training labels are 4 of float64, not a row of whole", "class"),
        ("I, L > 0, I, L", "the training labels are 4 of bool", "class"),
        ("I, np.eye(4, dtype=int), I, L", "the training labels are 4x4 of int64", "class"),
        ("I, L[:3], I, L", "there are 4 training images and 3 training labels", ""),
        ("I, L, I, L[:3]", "there are 4 test images and 3 test labels", ""),
        ("I, L + 1, I, L + 1", "the training labels go from 1 to 2, and none is 0", "unique"),
        ("I, L * 2, I, L", "the training labels go from 0 to 2, and none is 1", "unique"),
        ("I, -L, I, L", "the training label -1 is less than 0", "unique"),
        ("I, L, I, L + 1", "the test label 2 is not among the training labels, 0 to 1", "unique"),
        ("I, L, I[:, :6], L", "training images are 1x8x8, test images 1x6x8", "one size"),
    ],
)
def test_what_is_no_data_set_is_refused(own: Write, returned: str, message: str, help: str) -> None:
    """With what is wrong, and where there is one way, what mends it."""
    text = returned.replace("I", "b(4, 8, 8)").replace("L", "np.array([0, 1, 0, 1])")
    with pytest.raises(TostError) as caught:
        loaded(own, text)
    (said,) = caught.value.diagnostics
    assert "R341" == said.code
    assert message in said.message
    assert help in (said.help or "")
