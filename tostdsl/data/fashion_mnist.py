"""Fashion-MNIST, through torchvision."""

from __future__ import annotations

from types import MappingProxyType

from tostdsl.data.idx import IdxSet
from tostdsl.registry import register


@register("fashion_mnist")
class FashionMnist(IdxSet):
    """Ten kinds of clothes, 60,000 training and 10,000 test gray images of 28 x 28.

    Read from `FashionMNIST/raw` (the four idx files) under the data root, where torchvision keeps
    it, and downloaded to there with `--download`. The data root is `--data-root`, else the
    environment variable TOST_DATA, else `~/.cache/tostdsl/data`. Mean 0.2860, deviation 0.3530.
    Xiao, Rasul and Vollgraf, 2017.
    """

    other_names = MappingProxyType(dict.fromkeys(("fashion", "fmnist"), "fashion_mnist"))

    mean = 0.2860
    std = 0.3530
    title = "Fashion-MNIST"
    reader = "FashionMNIST"
