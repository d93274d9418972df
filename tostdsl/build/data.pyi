# Written by `python -m tostdsl.build.stubs`, from what is registered.

from collections.abc import Sequence
from typing import Final

from tostdsl.build.kinds import Augmentation, Data
from tostdsl.build.likes import PercentLike
from tostdsl.units import Percent

class Cifar10(Data):
    """Ten classes of things, 50,000 training and 10,000 test colour images of 32 x 32."""

    batch: Final[int]
    augment: Final[tuple[Augmentation, ...]]
    validation: Final[Percent]
    use: Final[Percent]
    def __init__(
        self,
        *,
        batch: int = 128,
        augment: Sequence[Augmentation | str] = (),
        validation: PercentLike = "0%",
        use: PercentLike = "100%",
    ) -> None: ...

class Cifar100(Data):
    """A hundred classes of things, 50,000 training and 10,000 test colour images of 32 x 32."""

    batch: Final[int]
    augment: Final[tuple[Augmentation, ...]]
    validation: Final[Percent]
    use: Final[Percent]
    def __init__(
        self,
        *,
        batch: int = 128,
        augment: Sequence[Augmentation | str] = (),
        validation: PercentLike = "0%",
        use: PercentLike = "100%",
    ) -> None: ...

class Digits(Data):
    """Handwritten digits, 1797 gray images of 8 x 8, from scikit-learn; needs no download."""

    batch: Final[int]
    augment: Final[tuple[Augmentation, ...]]
    validation: Final[Percent]
    use: Final[Percent]
    def __init__(
        self,
        *,
        batch: int = 64,
        augment: Sequence[Augmentation | str] = (),
        validation: PercentLike = "0%",
        use: PercentLike = "100%",
    ) -> None: ...

class FashionMnist(Data):
    """Ten kinds of clothes, 60,000 training and 10,000 test gray images of 28 x 28."""

    batch: Final[int]
    augment: Final[tuple[Augmentation, ...]]
    validation: Final[Percent]
    use: Final[Percent]
    def __init__(
        self,
        *,
        batch: int = 128,
        augment: Sequence[Augmentation | str] = (),
        validation: PercentLike = "0%",
        use: PercentLike = "100%",
    ) -> None: ...

class Imagefolder(Data):
    """A folder of images of your own: `train/<class>/*` and `test/<class>/*` (or `val`)."""

    batch: Final[int]
    augment: Final[tuple[Augmentation, ...]]
    validation: Final[Percent]
    use: Final[Percent]
    path: Final[str]
    size: Final[int]
    def __init__(
        self,
        path: str,
        *,
        batch: int = 128,
        augment: Sequence[Augmentation | str] = (),
        validation: PercentLike = "0%",
        use: PercentLike = "100%",
        size: int = 64,
    ) -> None: ...

class Mnist(Data):
    """Handwritten digits, 60,000 training and 10,000 test gray images of 28 x 28."""

    batch: Final[int]
    augment: Final[tuple[Augmentation, ...]]
    validation: Final[Percent]
    use: Final[Percent]
    def __init__(
        self,
        *,
        batch: int = 128,
        augment: Sequence[Augmentation | str] = (),
        validation: PercentLike = "0%",
        use: PercentLike = "100%",
    ) -> None: ...

class Python(Data):
    """A data set of your own: a function of a Python module that gives four arrays."""

    batch: Final[int]
    augment: Final[tuple[Augmentation, ...]]
    validation: Final[Percent]
    use: Final[Percent]
    function: Final[str]
    kwargs: Final[tuple[str, ...]]
    def __init__(
        self,
        function: str,
        *,
        batch: int = 128,
        augment: Sequence[Augmentation | str] = (),
        validation: PercentLike = "0%",
        use: PercentLike = "100%",
        kwargs: Sequence[str] = (),
    ) -> None: ...

class Svhn(Data):
    """Digits of house numbers, 73,257 training and 26,032 test colour images of 32 x 32."""

    batch: Final[int]
    augment: Final[tuple[Augmentation, ...]]
    validation: Final[Percent]
    use: Final[Percent]
    def __init__(
        self,
        *,
        batch: int = 128,
        augment: Sequence[Augmentation | str] = (),
        validation: PercentLike = "0%",
        use: PercentLike = "100%",
    ) -> None: ...

class TinyImagenet(Data):
    """200 classes of ImageNet, 100,000 training and 10,000 test colour images of 64 x 64."""

    batch: Final[int]
    augment: Final[tuple[Augmentation, ...]]
    validation: Final[Percent]
    use: Final[Percent]
    def __init__(
        self,
        *,
        batch: int = 128,
        augment: Sequence[Augmentation | str] = (),
        validation: PercentLike = "0%",
        use: PercentLike = "100%",
    ) -> None: ...
