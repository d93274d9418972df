"""Recipes made in Python: every registered thing as a class, and `Recipe` to put them together.

A recipe made here is written as recipe text and compiled like any other, so text and Python give
the same plans, fingerprints and messages.
"""

__all__ = [
    "anneals",
    "augmentations",
    "data",
    "masks",
    "models",
    "optimizers",
    "schedules",
    "techniques",
]
