"""From a description to a machine."""
