"""Settings: the typed configuration, from which schema and documentation are generated."""
