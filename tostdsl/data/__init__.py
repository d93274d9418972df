"""Data sets of images and random changes of them."""
