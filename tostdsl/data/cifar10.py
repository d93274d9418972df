"""CIFAR-10, through torchvision or as an image folder."""

from __future__ import annotations

from tostdsl.data.cifar import Cifar
from tostdsl.plan.bases import DataFacts
from tostdsl.registry import register


@register("cifar10")
class Cifar10(Cifar):
    """Ten classes of things, 50,000 training and 10,000 test colour images of 32 x 32.

    Two forms are read from the data root, the first one found: torchvision's
    `cifar-10-batches-py`, downloaded to there with `--download`; and the image folder
    `cifar10/{train,test}/<class>/*`, classes sorted by folder name. The run says which it was:
    images kept as JPEG are close to, not equal to, the original ones. The data root is
    `--data-root`, else the environment variable TOST_DATA, else `~/.cache/tostdsl/data`.
    Mean (0.4914, 0.4822, 0.4465), deviation (0.2023, 0.1994, 0.2010). Krizhevsky, 2009.
    """

    known = DataFacts(3, 32, 32, 10, 50_000, 10_000)
    mean = (0.4914, 0.4822, 0.4465)
    std = (0.2023, 0.1994, 0.2010)
    title = "CIFAR-10"
    batches = "cifar-10-batches-py"
