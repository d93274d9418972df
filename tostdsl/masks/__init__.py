"""Mask methods: which of the weights in scope a network keeps. One method a file."""
