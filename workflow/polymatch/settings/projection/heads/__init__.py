"""Settings of the heads, a module each, named as that in ``polymatch.models.projection``."""
