"""Settings of the losses, a module each, named as that in ``polymatch.losses.projection``."""
