"""Filters read back from the text that will be loaded, one module a dialect: what is proven is what is loaded."""
