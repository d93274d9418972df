"""MNIST, through torchvision."""

from __future__ import annotations

from tostdsl.data.idx import IdxSet
from tostdsl.registry import register


@register("mnist")
class Mnist(IdxSet):
    """Handwritten digits, 60,000 training and 10,000 test gray images of 28 x 28.

    Read from `MNIST/raw` (the four idx files) under the data root, where torchvision keeps it,
    and downloaded to there with `--download`. The data root is `--data-root`, else the
    environment variable TOST_DATA, else `~/.cache/tostdsl/data`. Mean 0.1307, deviation 0.3081.
    LeCun, Bottou, Bengio and Haffner, 1998.
    """

    mean = 0.1307
    std = 0.3081
    title = "MNIST"
    reader = "MNIST"
