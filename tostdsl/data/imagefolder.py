"""Any folder of images, one folder a class."""

from __future__ import annotations

from pathlib import Path

from tostdsl.data.cache import decoded
from tostdsl.data.checked import CheckedSet
from tostdsl.data.decode import Cropped
from tostdsl.data.folder import list_pair
from tostdsl.data.place import broken, missing_folder
from tostdsl.data.stats import mean_std
from tostdsl.plan.bases import DataFacts, Images, LoadOptions
from tostdsl.plan.spec import arg
from tostdsl.registry import register


@register("imagefolder")
class ImageFolder(CheckedSet):
    """A folder of images of your own: `train/<class>/*` and `test/<class>/*` (or `val`).

    Classes are sorted by folder name, and both parts must have the same ones. Every file in a
    class folder must be an image that pillow reads; names that begin with a dot are passed over.
    Images become RGB, their shorter side is scaled to `size` (bilinear) and the middle square of
    it kept. Mean and deviation are those of the training images, exactly. Decoded images are
    kept in the user's cache folder and decoded again when a file's name, size or time changes.
    """

    positional = "path"
    examples = ('imagefolder("images/birds", size=96)',)
    path: str = arg(
        doc="the folder that holds `train` and `test`; relative to the current folder", min_length=1
    )
    size: int = arg(64, "height and width that images are brought to", unit="pixels", ge=1, le=1024)

    def load(self, options: LoadOptions) -> Images:
        folder = Path(self.path).expanduser()
        if not folder.is_dir():
            raise missing_folder(self.name, folder)
        tests = [part for part in ("test", "val") if (folder / part).is_dir()]
        if not tests:
            raise broken(self.name, folder, "it has neither a folder `test` nor a folder `val`")
        pair = list_pair(self.name, folder, tests[0])
        train, test = (decoded(part, Cropped(self.size), options.limit) for part in pair)
        mean, std = mean_std(train.images)
        classes, sizes = len(pair[0].classes), [len(part.labels) for part in pair]
        facts = DataFacts(3, self.size, self.size, classes, *sizes)
        return Images(facts, train, test, mean, std, f"the image folder {folder}")
