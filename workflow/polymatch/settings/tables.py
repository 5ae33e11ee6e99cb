"""Tables of a publication: named rows, each a model or what a few changes make of another row.

Rows that no entry under ``models:`` has are entries of their own, named ``TABLE.ROW``, as those of
a sweep: not in ``summary.csv``, and made when the table is asked for. A row with the settings of an
entry that is there already is that entry.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from pydantic import Field, ValidationError

from polymatch.errors import ConfigError
from polymatch.settings.explain import located, suggest
from polymatch.settings.families import families
from polymatch.settings.model import ModelSettings
from polymatch.settings.section import NAME, Section
from polymatch.settings.sweeps import changed_entry


class RowSettings(Section):
    """One row of a table."""

    model: str = Field(description="entry of `models`, or a row above, that it is or is made from")
    about: str = Field("", description="what the row is, in the words of the table")
    change: dict[str, Any] = Field(
        default={}, description="keys of that entry (dotted: `loss.reduction`) with other values"
    )
    pruned: dict[str, Any] | None = Field(
        None,
        description="its trained runs are pruned: keys of an entry of family pruned, without `of`",
    )


class TableSettings(Section):
    """Rows that are compared with one of them."""

    rows: dict[Annotated[str, Field(pattern=NAME)], RowSettings] = Field(
        min_length=1, description="rows by label, in their order"
    )
    reference: str | None = Field(
        None, description="label of the row that the others are compared with; the first by default"
    )

    @property
    def compared_with(self) -> str:
        """Label of the row that the others are compared with."""
        return self.reference or next(iter(self.rows))


class TableRow(NamedTuple):
    """One row: label, what it is, the name of its entry, and the entry."""

    label: str
    about: str
    name: str
    entry: ModelSettings


def expand_tables(
    tables: Mapping[str, TableSettings],
    models: Mapping[str, ModelSettings],
    entries: Mapping[str, ModelSettings],
) -> dict[str, list[TableRow]]:
    """The rows of each table, in their order.

    Args:
        tables: the section `tables`.
        models: the expanded section `models`.
        entries: all that have a name already, which are looked through for equal settings.

    Raises:
        ConfigError: an unknown model, key or label, or a value that the entry does not take.
    """
    entries = dict(entries)
    expanded: dict[str, list[TableRow]] = {}
    for name, table in tables.items():
        where = f"tables.{name}"
        if table.compared_with not in table.rows:
            raise ConfigError(
                f"{where}.reference: unknown row {table.reference!r}; "
                f"{suggest(table.reference, table.rows)}"
            )
        rows: dict[str, TableRow] = {}
        for label, row in table.rows.items():
            at = f"{where}.rows.{label}"
            known = {key: (key, entry) for key, entry in models.items()}
            known |= {above.label: (above.name, above.entry) for above in rows.values()}
            if row.model not in known:
                raise ConfigError(
                    f"{at}.model: unknown model or row above {row.model!r}; "
                    f"{suggest(row.model, known)}"
                )
            entry = _entry(at, row, *known[row.model])
            own = f"{name}.{label}"
            same = next((other for other, made in entries.items() if made == entry), None)
            if same is None and own in entries:
                raise ConfigError(
                    f"{at}: {own!r} would be named like another entry that has other settings; "
                    "rename that one"
                )
            rows[label] = TableRow(label, row.about, same or own, entry)
            entries[same or own] = entry
        expanded[name] = [*rows.values()]
    return expanded


def _entry(where: str, row: RowSettings, name: str, base: ModelSettings) -> ModelSettings:
    entry = changed_entry(f"{where}.change", base, row.change)
    if row.pruned is None:
        return entry
    if row.change:
        raise ConfigError(
            f"{where}: `change` and `pruned` in one row; give what is changed a row of its own "
            "above, and prune that"
        )
    kind = families()["pruned"]
    if "of" in row.pruned:
        raise ConfigError(f"{where}.pruned.of: is the row's `model`; leave it out here")
    try:
        entry = kind.model_validate({**row.pruned, "of": name, "family": "pruned"})
    except ValidationError as error:
        key, why = located(error.errors()[0], kind)
        raise ConfigError(f"{where}.pruned{f'.{key}' if key else ''}: {why}") from None
    if base.family != entry.member_family:
        raise ConfigError(
            f"{where}.model: {row.model!r} is of family {base.family}; what is pruned is of family "
            f"{entry.member_family}"
        )
    return entry
