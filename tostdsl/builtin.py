"""Where the built-in names live, so that checking a recipe loads only what it names.

A test compares this with what the modules register. A module without names here tells its names
when it is loaded, which happens when a name is in none of the others.
"""

from __future__ import annotations

BUILTIN: dict[str, dict[str, tuple[str, ...]]] = {
    "technique": {
        "tostdsl.techniques.ghost": ("ghost",),
        "tostdsl.techniques.init": ("init",),
        "tostdsl.techniques.labels": ("labels",),
        "tostdsl.techniques.skip": ("skip",),
    },
    "mask": {
        "tostdsl.masks.dynamic": ("dynamic",),
        "tostdsl.masks.file": ("file",),
        "tostdsl.masks.gradual": ("gradual",),
        "tostdsl.masks.grasp": ("grasp",),
        "tostdsl.masks.lottery": ("lottery",),
        "tostdsl.masks.magnitude": ("magnitude",),
        "tostdsl.masks.nm": ("nm", "vnm"),
        "tostdsl.masks.random": ("random",),
        "tostdsl.masks.shuffle": ("shuffle",),
        "tostdsl.masks.snip": ("snip",),
        "tostdsl.masks.synflow": ("synflow",),
        "tostdsl.masks.taylor": ("taylor",),
    },
    "model": {
        "tostdsl.models.cifar_resnet": (
            *("cifar_resnet", "resnet20", "resnet32", "resnet44", "resnet56", "resnet110"),
        ),
        "tostdsl.models.mobilenet": ("mobilenet",),
        "tostdsl.models.mobilenets": ("mobilenet_v2", "mobilenet_v3_large", "mobilenet_v3_small"),
        "tostdsl.models.python": ("python",),
        "tostdsl.models.resnet": ("resnet18", "resnet34", "resnet50", "resnet101", "resnet152"),
        "tostdsl.models.resnet104": ("resnet104",),
        "tostdsl.models.vgg": ("vgg11", "vgg13", "vgg16", "vgg19"),
        "tostdsl.models.torchvision_zoo": (),
    },
    "data": {
        "tostdsl.data.cifar10": ("cifar10",),
        "tostdsl.data.cifar100": ("cifar100",),
        "tostdsl.data.digits": ("digits",),
        "tostdsl.data.fashion_mnist": ("fashion_mnist",),
        "tostdsl.data.imagefolder": ("imagefolder",),
        "tostdsl.data.mnist": ("mnist",),
        "tostdsl.data.python": ("python",),
        "tostdsl.data.svhn": ("svhn",),
        "tostdsl.data.tiny_imagenet": ("tiny_imagenet",),
    },
    "optimizer": {
        "tostdsl.optimizers.adam": ("adam", "adamw"),
        "tostdsl.optimizers.sgd": ("sgd",),
    },
    "schedule": {
        "tostdsl.schedules.falling": ("cosine", "linear"),
        "tostdsl.schedules.steady": ("constant", "multistep"),
    },
    "anneal": {
        "tostdsl.anneals": ("cosine", "exponential", "linear", "none", "step"),
    },
    "augmentation": {
        "tostdsl.data.augment": ("crop", "cutout", "flip"),
    },
}
