"""The techniques a recipe's stages may name. One technique a file."""
