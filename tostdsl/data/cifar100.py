"""CIFAR-100, through torchvision or as an image folder."""

from __future__ import annotations

from tostdsl.data.cifar import Cifar
from tostdsl.plan.bases import DataFacts
from tostdsl.registry import register


@register("cifar100")
class Cifar100(Cifar):
    """A hundred classes of things, 50,000 training and 10,000 test colour images of 32 x 32.

    The fine labels, 500 training and 100 test images a class. Two forms are read from the data
    root, the first one found: torchvision's `cifar-100-python`, downloaded to there with
    `--download`; and the image folder `cifar100/{train,test}/<class>/*`, classes sorted by folder
    name. The run says which it was: images kept as JPEG are close to, not equal to, the original
    ones. The data root is `--data-root`, else the environment variable TOST_DATA, else
    `~/.cache/tostdsl/data`. Mean (0.5071, 0.4865, 0.4409), deviation (0.2673, 0.2564, 0.2762) of
    the training pixels; the public code of ToST normalises by CIFAR-10's. Krizhevsky, 2009.
    """

    known = DataFacts(3, 32, 32, 100, 50_000, 10_000)
    mean = (0.5071, 0.4865, 0.4409)
    std = (0.2673, 0.2564, 0.2762)
    title = "CIFAR-100"
    batches = "cifar-100-python"
