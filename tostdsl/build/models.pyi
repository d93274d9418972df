# Written by `python -m tostdsl.build.stubs`, from what is registered.

from collections.abc import Sequence
from typing import Final, Literal

from tostdsl.build.kinds import Model
from tostdsl.build.likes import FactorLike
from tostdsl.units import Factor

class Alexnet(Model):
    """torchvision's `alexnet`: AlexNet (Krizhevsky 2014)."""

    def __init__(self) -> None: ...

class CifarResnet(Model):
    """The residual network for small images of any depth 6n + 2 (He et al. 2016, section 4.2)."""

    width: Final[Factor]
    shortcut: Final[Literal["projection", "pad"]]
    depth: Final[int]
    def __init__(
        self,
        depth: int = 20,
        *,
        width: FactorLike = "1x",
        shortcut: Literal["projection", "pad"] = "projection",
    ) -> None: ...

class ConvnextBase(Model):
    """torchvision's `convnext_base`: ConvNeXt (Liu et al. 2022)."""

    def __init__(self) -> None: ...

class ConvnextLarge(Model):
    """torchvision's `convnext_large`: ConvNeXt (Liu et al. 2022)."""

    def __init__(self) -> None: ...

class ConvnextSmall(Model):
    """torchvision's `convnext_small`: ConvNeXt (Liu et al. 2022)."""

    def __init__(self) -> None: ...

class ConvnextTiny(Model):
    """torchvision's `convnext_tiny`: ConvNeXt (Liu et al. 2022)."""

    def __init__(self) -> None: ...

class Densenet121(Model):
    """torchvision's `densenet121`: DenseNet (Huang et al. 2017)."""

    def __init__(self) -> None: ...

class Densenet161(Model):
    """torchvision's `densenet161`: DenseNet (Huang et al. 2017)."""

    def __init__(self) -> None: ...

class Densenet169(Model):
    """torchvision's `densenet169`: DenseNet (Huang et al. 2017)."""

    def __init__(self) -> None: ...

class Densenet201(Model):
    """torchvision's `densenet201`: DenseNet (Huang et al. 2017)."""

    def __init__(self) -> None: ...

class EfficientnetB0(Model):
    """torchvision's `efficientnet_b0`: EfficientNet (Tan & Le 2019)."""

    def __init__(self) -> None: ...

class EfficientnetB1(Model):
    """torchvision's `efficientnet_b1`: EfficientNet (Tan & Le 2019)."""

    def __init__(self) -> None: ...

class EfficientnetB2(Model):
    """torchvision's `efficientnet_b2`: EfficientNet (Tan & Le 2019)."""

    def __init__(self) -> None: ...

class EfficientnetB3(Model):
    """torchvision's `efficientnet_b3`: EfficientNet (Tan & Le 2019)."""

    def __init__(self) -> None: ...

class EfficientnetB4(Model):
    """torchvision's `efficientnet_b4`: EfficientNet (Tan & Le 2019)."""

    def __init__(self) -> None: ...

class EfficientnetB5(Model):
    """torchvision's `efficientnet_b5`: EfficientNet (Tan & Le 2019)."""

    def __init__(self) -> None: ...

class EfficientnetB6(Model):
    """torchvision's `efficientnet_b6`: EfficientNet (Tan & Le 2019)."""

    def __init__(self) -> None: ...

class EfficientnetB7(Model):
    """torchvision's `efficientnet_b7`: EfficientNet (Tan & Le 2019)."""

    def __init__(self) -> None: ...

class EfficientnetV2L(Model):
    """torchvision's `efficientnet_v2_l`: EfficientNetV2 (Tan & Le 2021)."""

    def __init__(self) -> None: ...

class EfficientnetV2M(Model):
    """torchvision's `efficientnet_v2_m`: EfficientNetV2 (Tan & Le 2021)."""

    def __init__(self) -> None: ...

class EfficientnetV2S(Model):
    """torchvision's `efficientnet_v2_s`: EfficientNetV2 (Tan & Le 2021)."""

    def __init__(self) -> None: ...

class Googlenet(Model):
    """torchvision's `googlenet`: GoogLeNet (Szegedy et al. 2015), without its auxiliary..."""

    def __init__(self) -> None: ...

class InceptionV3(Model):
    """torchvision's `inception_v3`: Inception-v3 (Szegedy et al. 2016), without its..."""

    def __init__(self) -> None: ...

class MaxvitT(Model):
    """torchvision's `maxvit_t`: MaxViT (Tu et al. 2022)."""

    def __init__(self) -> None: ...

class Mnasnet0_5(Model):
    """torchvision's `mnasnet0_5`: MNASNet (Tan et al. 2019)."""

    def __init__(self) -> None: ...

class Mnasnet0_75(Model):
    """torchvision's `mnasnet0_75`: MNASNet (Tan et al. 2019)."""

    def __init__(self) -> None: ...

class Mnasnet1_0(Model):
    """torchvision's `mnasnet1_0`: MNASNet (Tan et al. 2019)."""

    def __init__(self) -> None: ...

class Mnasnet1_3(Model):
    """torchvision's `mnasnet1_3`: MNASNet (Tan et al. 2019)."""

    def __init__(self) -> None: ...

class Mobilenet(Model):
    """MobileNet (v1): 13 blocks of a depthwise 3x3 and a 1x1 convolution (Howard et al. 2017)."""

    width: Final[Factor]
    stem: Final[Literal["cifar", "imagenet"]]
    def __init__(
        self,
        *,
        width: FactorLike = "1x",
        stem: Literal["cifar", "imagenet"] = "cifar",
    ) -> None: ...

class MobilenetV2(Model):
    """MobileNetV2: 17 inverted residual blocks with 16 to 320 channels (Sandler et al. 2018)."""

    stem: Final[Literal["cifar", "imagenet"]]
    def __init__(self, *, stem: Literal["cifar", "imagenet"] = "imagenet") -> None: ...

class MobilenetV3Large(Model):
    """MobileNetV3-Large: 15 inverted residual blocks with 16 to 160 channels (Howard et al..."""

    stem: Final[Literal["cifar", "imagenet"]]
    def __init__(self, *, stem: Literal["cifar", "imagenet"] = "imagenet") -> None: ...

class MobilenetV3Small(Model):
    """MobileNetV3-Small: 11 inverted residual blocks with 16 to 96 channels (Howard et al..."""

    stem: Final[Literal["cifar", "imagenet"]]
    def __init__(self, *, stem: Literal["cifar", "imagenet"] = "imagenet") -> None: ...

class Python(Model):
    """A network of your own: a function, or a class, of a Python module."""

    function: Final[str]
    kwargs: Final[tuple[str, ...]]
    def __init__(self, function: str, *, kwargs: Sequence[str] = ()) -> None: ...

class RegnetX16gf(Model):
    """torchvision's `regnet_x_16gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetX1_6gf(Model):
    """torchvision's `regnet_x_1_6gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetX32gf(Model):
    """torchvision's `regnet_x_32gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetX3_2gf(Model):
    """torchvision's `regnet_x_3_2gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetX400mf(Model):
    """torchvision's `regnet_x_400mf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetX800mf(Model):
    """torchvision's `regnet_x_800mf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetX8gf(Model):
    """torchvision's `regnet_x_8gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetY128gf(Model):
    """torchvision's `regnet_y_128gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetY16gf(Model):
    """torchvision's `regnet_y_16gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetY1_6gf(Model):
    """torchvision's `regnet_y_1_6gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetY32gf(Model):
    """torchvision's `regnet_y_32gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetY3_2gf(Model):
    """torchvision's `regnet_y_3_2gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetY400mf(Model):
    """torchvision's `regnet_y_400mf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetY800mf(Model):
    """torchvision's `regnet_y_800mf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class RegnetY8gf(Model):
    """torchvision's `regnet_y_8gf`: RegNet (Radosavovic et al. 2020)."""

    def __init__(self) -> None: ...

class Resnet101(Model):
    """ResNet-101: stages of 3, 4, 23, 3 bottleneck blocks, 256 to 2048 channels (He et al..."""

    stem: Final[Literal["cifar", "imagenet"]]
    def __init__(self, *, stem: Literal["cifar", "imagenet"] = "cifar") -> None: ...

class Resnet104(Model):
    """The "ResNet-104" of the ToST paper (Jaiswal et al. 2022): 155 weight layers, not 104."""

    def __init__(self) -> None: ...

class Resnet110(Model):
    """`cifar_resnet(depth=110)`: 18 blocks a stage, 1.7 million weights (He et al. 2016)."""

    width: Final[Factor]
    shortcut: Final[Literal["projection", "pad"]]
    def __init__(
        self,
        *,
        width: FactorLike = "1x",
        shortcut: Literal["projection", "pad"] = "projection",
    ) -> None: ...

class Resnet152(Model):
    """ResNet-152: stages of 3, 8, 36, 3 bottleneck blocks, 256 to 2048 channels (He et al..."""

    stem: Final[Literal["cifar", "imagenet"]]
    def __init__(self, *, stem: Literal["cifar", "imagenet"] = "cifar") -> None: ...

class Resnet18(Model):
    """ResNet-18: stages of 2, 2, 2, 2 basic blocks with 64 to 512 channels (He et al. 2016)."""

    stem: Final[Literal["cifar", "imagenet"]]
    def __init__(self, *, stem: Literal["cifar", "imagenet"] = "cifar") -> None: ...

class Resnet20(Model):
    """`cifar_resnet(depth=20)`: three blocks a stage, 0.27 million weights (He et al. 2016)."""

    width: Final[Factor]
    shortcut: Final[Literal["projection", "pad"]]
    def __init__(
        self,
        *,
        width: FactorLike = "1x",
        shortcut: Literal["projection", "pad"] = "projection",
    ) -> None: ...

class Resnet32(Model):
    """`cifar_resnet(depth=32)`: five blocks a stage, 0.46 million weights (He et al. 2016)."""

    width: Final[Factor]
    shortcut: Final[Literal["projection", "pad"]]
    def __init__(
        self,
        *,
        width: FactorLike = "1x",
        shortcut: Literal["projection", "pad"] = "projection",
    ) -> None: ...

class Resnet34(Model):
    """ResNet-34: stages of 3, 4, 6, 3 basic blocks with 64 to 512 channels (He et al. 2016)."""

    stem: Final[Literal["cifar", "imagenet"]]
    def __init__(self, *, stem: Literal["cifar", "imagenet"] = "cifar") -> None: ...

class Resnet44(Model):
    """`cifar_resnet(depth=44)`: seven blocks a stage, 0.66 million weights (He et al. 2016)."""

    width: Final[Factor]
    shortcut: Final[Literal["projection", "pad"]]
    def __init__(
        self,
        *,
        width: FactorLike = "1x",
        shortcut: Literal["projection", "pad"] = "projection",
    ) -> None: ...

class Resnet50(Model):
    """ResNet-50: stages of 3, 4, 6, 3 bottleneck blocks, 256 to 2048 channels (He et al. 2016)."""

    stem: Final[Literal["cifar", "imagenet"]]
    def __init__(self, *, stem: Literal["cifar", "imagenet"] = "cifar") -> None: ...

class Resnet56(Model):
    """`cifar_resnet(depth=56)`: nine blocks a stage, 0.85 million weights (He et al. 2016)."""

    width: Final[Factor]
    shortcut: Final[Literal["projection", "pad"]]
    def __init__(
        self,
        *,
        width: FactorLike = "1x",
        shortcut: Literal["projection", "pad"] = "projection",
    ) -> None: ...

class Resnext101_32x8d(Model):
    """torchvision's `resnext101_32x8d`: ResNeXt (Xie et al. 2017)."""

    def __init__(self) -> None: ...

class Resnext101_64x4d(Model):
    """torchvision's `resnext101_64x4d`: ResNeXt (Xie et al. 2017)."""

    def __init__(self) -> None: ...

class Resnext50_32x4d(Model):
    """torchvision's `resnext50_32x4d`: ResNeXt (Xie et al. 2017)."""

    def __init__(self) -> None: ...

class ShufflenetV2X0_5(Model):
    """torchvision's `shufflenet_v2_x0_5`: ShuffleNetV2 (Ma et al. 2018)."""

    def __init__(self) -> None: ...

class ShufflenetV2X1_0(Model):
    """torchvision's `shufflenet_v2_x1_0`: ShuffleNetV2 (Ma et al. 2018)."""

    def __init__(self) -> None: ...

class ShufflenetV2X1_5(Model):
    """torchvision's `shufflenet_v2_x1_5`: ShuffleNetV2 (Ma et al. 2018)."""

    def __init__(self) -> None: ...

class ShufflenetV2X2_0(Model):
    """torchvision's `shufflenet_v2_x2_0`: ShuffleNetV2 (Ma et al. 2018)."""

    def __init__(self) -> None: ...

class Squeezenet1_0(Model):
    """torchvision's `squeezenet1_0`: SqueezeNet (Iandola et al. 2016)."""

    def __init__(self) -> None: ...

class Squeezenet1_1(Model):
    """torchvision's `squeezenet1_1`: SqueezeNet (Iandola et al. 2016)."""

    def __init__(self) -> None: ...

class SwinB(Model):
    """torchvision's `swin_b`: Swin Transformer (Liu et al. 2021)."""

    def __init__(self) -> None: ...

class SwinS(Model):
    """torchvision's `swin_s`: Swin Transformer (Liu et al. 2021)."""

    def __init__(self) -> None: ...

class SwinT(Model):
    """torchvision's `swin_t`: Swin Transformer (Liu et al. 2021)."""

    def __init__(self) -> None: ...

class SwinV2B(Model):
    """torchvision's `swin_v2_b`: Swin Transformer V2 (Liu et al. 2022)."""

    def __init__(self) -> None: ...

class SwinV2S(Model):
    """torchvision's `swin_v2_s`: Swin Transformer V2 (Liu et al. 2022)."""

    def __init__(self) -> None: ...

class SwinV2T(Model):
    """torchvision's `swin_v2_t`: Swin Transformer V2 (Liu et al. 2022)."""

    def __init__(self) -> None: ...

class Vgg11(Model):
    """VGG-11: stages of 1, 1, 2, 2, 2 convolutions (Simonyan & Zisserman 2015), for small..."""

    head: Final[Literal["cifar", "imagenet"]]
    norm: Final[Literal["batch", "none"]]
    def __init__(
        self,
        *,
        head: Literal["cifar", "imagenet"] = "cifar",
        norm: Literal["batch", "none"] = "batch",
    ) -> None: ...

class Vgg11Bn(Model):
    """torchvision's `vgg11_bn`: VGG (Simonyan & Zisserman 2015) with batch normalisation."""

    def __init__(self) -> None: ...

class Vgg13(Model):
    """VGG-13: stages of 2, 2, 2, 2, 2 convolutions (Simonyan & Zisserman 2015), for small..."""

    head: Final[Literal["cifar", "imagenet"]]
    norm: Final[Literal["batch", "none"]]
    def __init__(
        self,
        *,
        head: Literal["cifar", "imagenet"] = "cifar",
        norm: Literal["batch", "none"] = "batch",
    ) -> None: ...

class Vgg13Bn(Model):
    """torchvision's `vgg13_bn`: VGG (Simonyan & Zisserman 2015) with batch normalisation."""

    def __init__(self) -> None: ...

class Vgg16(Model):
    """VGG-16: stages of 2, 2, 3, 3, 3 convolutions (Simonyan & Zisserman 2015), for small..."""

    head: Final[Literal["cifar", "imagenet"]]
    norm: Final[Literal["batch", "none"]]
    def __init__(
        self,
        *,
        head: Literal["cifar", "imagenet"] = "cifar",
        norm: Literal["batch", "none"] = "batch",
    ) -> None: ...

class Vgg16Bn(Model):
    """torchvision's `vgg16_bn`: VGG (Simonyan & Zisserman 2015) with batch normalisation."""

    def __init__(self) -> None: ...

class Vgg19(Model):
    """VGG-19: stages of 2, 2, 4, 4, 4 convolutions (Simonyan & Zisserman 2015), for small..."""

    head: Final[Literal["cifar", "imagenet"]]
    norm: Final[Literal["batch", "none"]]
    def __init__(
        self,
        *,
        head: Literal["cifar", "imagenet"] = "cifar",
        norm: Literal["batch", "none"] = "batch",
    ) -> None: ...

class Vgg19Bn(Model):
    """torchvision's `vgg19_bn`: VGG (Simonyan & Zisserman 2015) with batch normalisation."""

    def __init__(self) -> None: ...

class VitB16(Model):
    """torchvision's `vit_b_16`: Vision Transformer (Dosovitskiy et al. 2021), for square..."""

    def __init__(self) -> None: ...

class VitB32(Model):
    """torchvision's `vit_b_32`: Vision Transformer (Dosovitskiy et al. 2021), for square..."""

    def __init__(self) -> None: ...

class VitH14(Model):
    """torchvision's `vit_h_14`: Vision Transformer (Dosovitskiy et al. 2021), for square..."""

    def __init__(self) -> None: ...

class VitL16(Model):
    """torchvision's `vit_l_16`: Vision Transformer (Dosovitskiy et al. 2021), for square..."""

    def __init__(self) -> None: ...

class VitL32(Model):
    """torchvision's `vit_l_32`: Vision Transformer (Dosovitskiy et al. 2021), for square..."""

    def __init__(self) -> None: ...

class WideResnet101_2(Model):
    """torchvision's `wide_resnet101_2`: Wide ResNet (Zagoruyko & Komodakis 2016)."""

    def __init__(self) -> None: ...

class WideResnet50_2(Model):
    """torchvision's `wide_resnet50_2`: Wide ResNet (Zagoruyko & Komodakis 2016)."""

    def __init__(self) -> None: ...
