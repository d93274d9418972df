"""Plan and data to a run: hooks, masks, loop, certificate, run folder."""
