"""The techniques a recipe's stages may name; importing this registers them."""

from tostdsl.techniques.ghost import Ghost
from tostdsl.techniques.init import Init
from tostdsl.techniques.labels import Labels
from tostdsl.techniques.skip import Skip

__all__ = ["Ghost", "Init", "Labels", "Skip"]
