"""The other classification networks of torchvision, each under its own name.

The names stand in a table, so that a recipe is checked without torch; a test compares them with
the library's.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, cast

from pydantic import create_model

from tostdsl.plan.bases import DataFacts, ModelSpec
from tostdsl.registry import get, register, register_later

if TYPE_CHECKING:
    import torch

FAMILIES: dict[str, tuple[str, ...]] = {
    "AlexNet (Krizhevsky 2014)": ("alexnet",),
    "ConvNeXt (Liu et al. 2022)": (
        *("convnext_tiny", "convnext_small", "convnext_base", "convnext_large"),
    ),
    "DenseNet (Huang et al. 2017)": (
        *("densenet121", "densenet161", "densenet169", "densenet201"),
    ),
    "EfficientNet (Tan & Le 2019)": (
        *("efficientnet_b0", "efficientnet_b1", "efficientnet_b2", "efficientnet_b3"),
        *("efficientnet_b4", "efficientnet_b5", "efficientnet_b6", "efficientnet_b7"),
    ),
    "EfficientNetV2 (Tan & Le 2021)": (
        *("efficientnet_v2_s", "efficientnet_v2_m", "efficientnet_v2_l"),
    ),
    "GoogLeNet (Szegedy et al. 2015), without its auxiliary classifiers": ("googlenet",),
    "Inception-v3 (Szegedy et al. 2016), without its auxiliary classifier": ("inception_v3",),
    "MaxViT (Tu et al. 2022)": ("maxvit_t",),
    "MNASNet (Tan et al. 2019)": ("mnasnet0_5", "mnasnet0_75", "mnasnet1_0", "mnasnet1_3"),
    "RegNet (Radosavovic et al. 2020)": (
        *("regnet_x_400mf", "regnet_x_800mf", "regnet_x_1_6gf", "regnet_x_3_2gf"),
        *("regnet_x_8gf", "regnet_x_16gf", "regnet_x_32gf"),
        *("regnet_y_400mf", "regnet_y_800mf", "regnet_y_1_6gf", "regnet_y_3_2gf"),
        *("regnet_y_8gf", "regnet_y_16gf", "regnet_y_32gf", "regnet_y_128gf"),
    ),
    "ResNeXt (Xie et al. 2017)": ("resnext50_32x4d", "resnext101_32x8d", "resnext101_64x4d"),
    "ShuffleNetV2 (Ma et al. 2018)": (
        *("shufflenet_v2_x0_5", "shufflenet_v2_x1_0", "shufflenet_v2_x1_5", "shufflenet_v2_x2_0"),
    ),
    "SqueezeNet (Iandola et al. 2016)": ("squeezenet1_0", "squeezenet1_1"),
    "Swin Transformer (Liu et al. 2021)": ("swin_t", "swin_s", "swin_b"),
    "Swin Transformer V2 (Liu et al. 2022)": ("swin_v2_t", "swin_v2_s", "swin_v2_b"),
    "VGG (Simonyan & Zisserman 2015) with batch normalisation": (
        *("vgg11_bn", "vgg13_bn", "vgg16_bn", "vgg19_bn"),
    ),
    "Vision Transformer (Dosovitskiy et al. 2021), for square images of the data's size": (
        *("vit_b_16", "vit_b_32", "vit_l_16", "vit_l_32", "vit_h_14"),
    ),
    "Wide ResNet (Zagoruyko & Komodakis 2016)": ("wide_resnet50_2", "wide_resnet101_2"),
}


class _Torchvision(ModelSpec):
    """A network of torchvision with fresh weights."""

    def build(self, facts: DataFacts) -> torch.nn.Module:
        from tostdsl.models.nets.zoo import zoo

        return zoo(self.name, facts)


def _make(name: str) -> type[ModelSpec]:
    family = next(family for family, names in FAMILIES.items() if name in names)
    doc = f"""torchvision's `{name}`: {family}.

    It starts from random weights; nothing is downloaded. The classifier has the data's classes.
    Where images do not have three channels the first convolution is drawn anew, with the variance
    that keeps the size of its output. Images it cannot take are refused before training (T506).
    """
    title = _title(name)
    cls = create_model(title, __base__=_Torchvision, __module__=__name__, __doc__=doc)
    setattr(sys.modules[__name__], title, register(name)(cls))
    return cls


def _title(name: str) -> str:
    return "".join(part.capitalize() for part in name.split("_"))


_NAMES = [name for names in FAMILIES.values() for name in names]

register_later("model", _NAMES, _make)


def __getattr__(title: str) -> type[ModelSpec]:
    """A network's class by its own name, for what asks the module for it (pickle)."""
    for name in _NAMES:
        if _title(name) == title:
            return cast("type[ModelSpec]", get("model", name))
    raise AttributeError(f"module {__name__!r} has no attribute {title!r}")
