"""The command line: `tost`. The only place that prints."""
