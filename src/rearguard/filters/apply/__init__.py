"""Putting a filter in force, with a way back: the kernel's table here, candidates for routers elsewhere."""
