"""Sources are found by name."""

import pytest

from polymatch.errors import ConfigError
from polymatch.sources import SourceInfo, known_sources, load


def test_known_sources_have_a_record_under_their_own_name() -> None:
    assert "emoji" in known_sources()
    for name in known_sources():
        info = load(name).INFO
        assert isinstance(info, SourceInfo)
        assert info.name == name
        assert info.licence and info.citation and info.revision and info.url.startswith("https://")


@pytest.mark.parametrize("name", ["emojy", "emoji_build", "info", "registry", "../emoji", ""])
def test_unknown_source_names_the_known_ones(name: str) -> None:
    with pytest.raises(ConfigError, match=r"source: .* is unknown \(known: .*emoji"):
        load(name)
