"""Reporting: tables and figures that a person reads."""
