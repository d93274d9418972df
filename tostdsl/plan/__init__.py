"""The resolved recipe and what only reads it: identity, program of segments, timeline."""
