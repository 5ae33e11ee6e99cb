"""What a data set is, where it comes from and under which terms it may be used."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class SourceInfo:
    """The record that every source carries and that the report shows.

    Attributes:
        name: the name used in the config.
        title: one line for people.
        licence: SPDX expression of the licences of pictures and captions.
        citation: how to name it in a paper.
        revision: the versions that the data were made from.
        url: the project's page.
    """

    name: str
    title: str
    licence: str
    citation: str
    revision: str
    url: str
