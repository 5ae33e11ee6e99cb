"""Polymatch: cross-modal retrieval heads on frozen encoders, compared on one protocol.

The rooms, in import order (a room imports only from those before it): ``settings``, ``data``,
``sources``, ``encoders``, ``evaluation``, ``surrogate``, ``models``, ``losses``, ``training``,
``deployment``, ``search``, ``serving``, ``reporting``, ``commands``. The library does not know
Snakemake.
"""
