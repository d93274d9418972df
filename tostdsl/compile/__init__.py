"""Files to a plan: load, resolve, values, lower, check; and a plan back to text."""
