"""What changed between two plans, and what that means for masks, checkpoints and comparisons."""
