"""The optimizers a recipe may name; importing the package registers them."""

from tostdsl.optimizers import adam, sgd

__all__ = ["adam", "sgd"]
