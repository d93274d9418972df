"""scikit-learn's digits."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
from sklearn.datasets import load_digits

from tostdsl.data.digits import Digits
from tostdsl.plan.bases import LoadOptions


def test_known_facts_are_those_of_the_loaded_set() -> None:
    """What `facts` says without loading is what loading finds."""
    loaded = Digits().load(LoadOptions())
    assert Digits().facts() == loaded.facts
    assert (1438, 1, 8, 8) == loaded.train.images.shape
    assert (359, 1, 8, 8) == loaded.test.images.shape


def test_every_fifth_image_is_a_test_image_and_none_is_lost() -> None:
    """Both splits together are scikit-learn's set; values are sixteenths of white."""
    loaded, raw = Digits().load(LoadOptions()), load_digits()
    assert np.array_equal(raw.images[4::5], np.rint(loaded.test.images[:, 0] / 255 * 16))
    assert np.array_equal(raw.target[4::5], loaded.test.labels)
    kept = [i for i in range(1797) if i % 5 != 4]
    assert np.array_equal(raw.images[kept], np.rint(loaded.train.images[:, 0] / 255 * 16))
    assert np.array_equal(raw.target[kept], loaded.train.labels)
    assert 0 == loaded.train.images.min()
    assert 255 == loaded.train.images.max()


def test_a_limit_shortens_both_splits_and_keeps_the_classes() -> None:
    """At most so many images, all ten classes, normalised as the whole set is."""
    whole, loaded = Digits().load(LoadOptions()), Digits().load(LoadOptions(limit=30))
    assert (30, 30) == (loaded.facts.train_size, loaded.facts.test_size)
    assert [3] * 10 == np.bincount(loaded.train.labels).tolist()
    assert (whole.mean, whole.std) == (loaded.mean, loaded.std)


def test_data_specs_load_neither_torch_nor_numpy() -> None:
    """Importing every data set and asking for facts keeps `tost check` light."""
    script = (
        "import sys, tostdsl.data\n"
        "from tostdsl import registry\n"
        "known = {n: registry.get('data', n) for n in registry.names('data')}\n"
        "assert known.pop('imagefolder')(path='x').facts() is None\n"
        "assert known.pop('python')(function='x:y').facts() is None\n"
        "assert len([cls().facts().classes for cls in known.values()]) >= 7\n"
        "print([m for m in ('torch', 'torchvision', 'numpy', 'PIL', 'sklearn') "
        "if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True)
    assert ("[]\n", "") == (done.stdout, done.stderr)
