"""Data sets of images and random changes of them; importing this registers the built-in ones."""

from tostdsl.data import augment, cifar10, digits, imagefolder, mnist

__all__ = ["augment", "cifar10", "digits", "imagefolder", "mnist"]
