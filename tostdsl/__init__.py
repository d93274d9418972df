"""Train sparse neural networks from recipes that say what runs."""
