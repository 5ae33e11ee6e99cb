"""A trained run as a search engine: texts find items, pictures and clips find captions."""
