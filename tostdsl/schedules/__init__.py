"""The learning-rate schedules a recipe may name."""
