"""Handwritten digits that come with scikit-learn: the data set that is always there."""

from __future__ import annotations

from tostdsl.data.checked import CheckedSet
from tostdsl.data.stats import mean_std
from tostdsl.data.subset import slice_of
from tostdsl.plan.bases import DataFacts, Images, LoadOptions, Split
from tostdsl.plan.spec import arg
from tostdsl.registry import register

SIZE = 1797
EVERY = 5


@register("digits")
class Digits(CheckedSet):
    """Handwritten digits, 1797 gray images of 8 x 8, from scikit-learn; needs no download.

    Every fifth image (the 5th, 10th, ...) is a test image: 1438 to train on, 359 to test on.
    Values 0 to 16 are scaled to bytes 0 to 255. Mean and deviation are those of the training
    images. The UCI test set of Alpaydin and Kaynak, 1998.
    """

    batch: int = arg(64, "images a training step; a last short batch is left out", ge=1, le=65536)

    def facts(self) -> DataFacts:
        return DataFacts(1, 8, 8, 10, SIZE - SIZE // EVERY, SIZE // EVERY)

    def load(self, options: LoadOptions) -> Images:
        import numpy as np
        from sklearn.datasets import load_digits

        values, targets = load_digits(return_X_y=True)
        images = np.rint(values * (255 / 16)).astype(np.uint8).reshape(-1, 1, 8, 8)
        labels = targets.astype(np.int64)
        tested = np.arange(len(labels)) % EVERY == EVERY - 1
        train = Split(images[~tested], labels[~tested])
        mean, std = mean_std(train.images)
        train = slice_of(train, options.limit)
        test = slice_of(Split(images[tested], labels[tested]), options.limit)
        facts = DataFacts(1, 8, 8, 10, len(train.labels), len(test.labels))
        return Images(facts, train, test, mean, std, "the digits that come with scikit-learn")
