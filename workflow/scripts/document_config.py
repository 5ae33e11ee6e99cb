"""Write the JSON schemas of the config and of studies, and config/README.md, from the settings."""

from pathlib import Path

import arguments  # noqa: F401  (makes the library importable)
from polymatch.settings.document import readme_text, schema_text, tuning_schema_text

ROOT = Path(__file__).resolve().parents[2]


def main() -> None:
    (ROOT / "workflow/schemas/config.schema.json").write_text(schema_text(), encoding="utf-8")
    tuning = ROOT / "workflow/schemas/tuning.schema.json"
    tuning.write_text(tuning_schema_text(), encoding="utf-8")
    (ROOT / "config/README.md").write_text(readme_text(), encoding="utf-8")


if __name__ == "__main__":
    main()
