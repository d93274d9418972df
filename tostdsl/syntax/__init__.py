"""Text to nodes and back: layout, parser, nodes, formatter. Knows no technique by name."""
