"""Filters as text, one module a platform; each says what the model says, or refuses."""
