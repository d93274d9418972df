"""The optimizers a recipe may name."""
