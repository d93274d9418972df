"""The learning-rate schedules a recipe may name; importing the package registers them."""

from tostdsl.schedules import falling, steady

__all__ = ["falling", "steady"]
