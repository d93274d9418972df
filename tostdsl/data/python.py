"""A data set of the user's own, made by a Python function."""

from __future__ import annotations

from collections.abc import Iterable
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

from tostdsl.data.checked import CheckedSet
from tostdsl.data.stats import mean_std
from tostdsl.data.subset import slice_of
from tostdsl.diagnostics import TostError
from tostdsl.plan.bases import DataFacts, Images, LoadOptions, Split
from tostdsl.plan.spec import CheckSite, Problem, arg
from tostdsl.registry import register
from tostdsl.usercode import called, problems, source_of

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

FEW = 4
"""Numbers up to this are taken for a number of channels, larger ones for a height or width."""
_LAYOUT = "N x C x H x W"


@register("python")
class PythonData(CheckedSet):
    """A data set of your own: a function of a Python module that gives four arrays.

    Called with `kwargs` it gives training images, their labels, test images and their labels, as
    numpy arrays or torch tensors. Images are bytes (uint8), N x C x H x W, or N x H x W where
    they are gray; square ones of up to four channels may be N x H x W x C. Labels are whole
    numbers from 0 on, each of them in the training labels. Mean and deviation are those of the
    training images, exactly. Checking never imports it; `tost run`, `tost mask` and
    `tost verify` do only with `--allow-code`, and never with `--fake-data`. Modules are looked
    for in the current folder first. The fingerprint of the plan holds the name and `kwargs` only;
    the run folder records the checksums of the images and of the function's file.
    """

    runs_code = True
    positional = "function"
    examples = ('python("sets:birds")', 'python("lab.sets:birds", kwargs=["size=32"], batch=64)')
    other_arguments = MappingProxyType(
        {"arguments": "kwargs", "args": "kwargs", "params": "kwargs"}
    )
    function: str = arg(doc='where it is: `"package.module:function"`', example='"sets:birds"')
    kwargs: tuple[str, ...] = arg(
        (), "what it is called with: `name=value` each, the value a literal of Python"
    )

    def check(self, site: CheckSite) -> Iterable[Problem]:
        yield from problems(self.function, self.kwargs)
        yield from super().check(site)

    def load(self, options: LoadOptions) -> Images:
        found = called(self.function, self.kwargs, {})
        if not isinstance(found, tuple | list) or len(found) != 4:
            many = f" of {len(found)}" if isinstance(found, tuple | list) else ""
            reason = f"it gives a `{type(found).__name__}`{many}, not four arrays"
            raise self._unfit(reason, "return train_images, train_labels, test_images, test_labels")
        train, test = (
            self._split(part, *pair)
            for part, pair in (("training", found[:2]), ("test", found[2:]))
        )
        shape, other = train.images.shape[1:], test.images.shape[1:]
        if shape != other:
            reason = f"training images are {_shape(shape)}, test images {_shape(other)}"
            raise self._unfit(reason, "give all of them one size")
        channels, height, width = shape
        sizes = len(train.labels), len(test.labels)
        facts = DataFacts(channels, height, width, self._classes(train, test), *sizes)
        mean, std = mean_std(train.images)
        train, test = (slice_of(part, options.limit) for part in (train, test))
        file = source_of(self.function).file
        origin = f"`{self.function}`" + (f" in {file}" if file else "")
        return Images(facts, train, test, mean, std, origin)

    def _split(self, part: str, images: object, labels: object) -> Split:
        import numpy as np

        name = f"{part} images"
        pixels = self._array(name, images)
        if pixels.dtype != np.uint8:
            raise self._unfit(f"the {name} are of {pixels.dtype}, not of uint8", _bytes(pixels))
        pixels = np.ascontiguousarray(self._channels_first(name, pixels))
        if not pixels.size:
            raise self._unfit(f"there are no {name}: their shape is {_shape(pixels.shape)}")
        numbers = self._array(f"{part} labels", labels)
        if numbers.dtype.kind not in "iu" or numbers.ndim != 1:
            reason = f"the {part} labels are {_shape(numbers.shape)} of {numbers.dtype}, not a row"
            help = "give the number of each image's class"
            raise self._unfit(f"{reason} of whole numbers", help)
        if len(numbers) != len(pixels):
            reason = f"there are {len(pixels):,} {name} and {len(numbers):,} {part} labels"
            raise self._unfit(reason)
        return Split(pixels, numbers.astype(np.int64))

    def _array(self, name: str, found: object) -> NDArray[Any]:
        import numpy as np
        import torch

        if isinstance(found, torch.Tensor):
            found = found.detach().cpu()
            found = (found.float() if found.is_floating_point() else found).numpy()
        if not isinstance(found, np.ndarray):
            reason = f"the {name} are a `{type(found).__name__}`"
            raise self._unfit(reason, "give a numpy array or a torch tensor")
        return found

    def _channels_first(self, name: str, images: NDArray[np.uint8]) -> NDArray[np.uint8]:
        """The images as N x C x H x W, where it is plain what their axes are."""
        if images.ndim == 3:
            return images[:, None]
        if images.ndim != 4:
            reason = f"the {name} are {_shape(images.shape)}, not {_LAYOUT}"
            raise self._unfit(reason)
        _, second, third, last = images.shape
        if second <= FEW or third == last:
            return images
        if second == third and last <= FEW:
            return images.transpose(0, 3, 1, 2)
        if second == third or last <= FEW:
            reason = f"which axis of the {name} has the channels is not plain: they are "
            help = f"give {_LAYOUT}, as `images.transpose(0, 3, 1, 2)` makes of N x H x W x C"
            raise self._unfit(reason + _shape(images.shape), help)
        return images

    def _classes(self, train: Split, test: Split) -> int:
        """How many classes there are."""
        import numpy as np

        present = np.unique(train.labels)
        help = "number the classes from 0, as `numpy.unique(labels, return_inverse=True)[1]` does"
        if present[0] < 0:
            raise self._unfit(f"the training label {present[0]} is less than 0", help)
        if present[-1] != len(present) - 1:
            gap = next(number for number, label in enumerate(present) if number != label)
            reason = f"the training labels go from {present[0]} to {present[-1]}"
            raise self._unfit(f"{reason}, and none is {gap}", help)
        strange = np.setdiff1d(test.labels, present)
        if len(strange):
            reason = f"the test label {strange[0]} is not among the training labels"
            raise self._unfit(f"{reason}, 0 to {present[-1]}", help)
        return len(present)

    def _unfit(self, reason: str, help: str | None = None) -> TostError:
        what = "data set"
        return TostError.of("R341", function=self.function, what=what, reason=reason, help=help)


def _shape(shape: tuple[int, ...]) -> str:
    return "x".join(map(str, shape)) or "a single number"


def _bytes(images: NDArray[Any]) -> str:
    """What makes bytes of images of another type."""
    if images.dtype.kind == "f":
        return (
            "give the pixels from 0 to 255: of values from 0 to 1, "
            "`(images * 255).round().astype('uint8')`; they are normalised for you"
        )
    return "give the pixels from 0 to 255, with `images.astype('uint8')`"
