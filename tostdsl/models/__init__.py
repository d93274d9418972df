"""The networks a recipe may name."""
