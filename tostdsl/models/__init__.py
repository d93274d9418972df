"""The networks a recipe may name; importing the package registers them."""

from tostdsl.models import cifar_resnet, resnet, torchvision_zoo

__all__ = ["cifar_resnet", "resnet", "torchvision_zoo"]
