"""Mask methods: which of the weights in scope a network keeps. One method a file."""

from tostdsl.masks import lottery, magnitude, random

__all__ = ["lottery", "magnitude", "random"]
