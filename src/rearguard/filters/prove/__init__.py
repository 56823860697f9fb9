"""Whether two filters mean the same, for every packet there can be; if not, packets that show it."""
