"""Pictures of positions: pure functions from a chart's points to SVG, PNG and text."""
