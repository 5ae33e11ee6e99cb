"""The page as one HTML file: template, styles, scripts, the chart library and the contents.

Contents are never written as markup: they are JSON in an element that no browser runs, with every
``<`` escaped, and the scripts put texts into the page as text. The content security policy allows
these scripts by their hashes and nothing from anywhere else. ``assets/js`` holds ES modules; they
become one, in the order of :data:`MODULES`, since a file has no address to import from.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jinja2

ASSETS = Path(__file__).parent / "assets"
STYLES = ("colours", "frame", "tables", "charts", "model", "answers", "screens")
LIBRARIES = ("d3.min.js", "plot.min.js")
MODULES = (
    "data",
    "element",
    "numbers",
    "table",
    "chart",
    "board",
    "answers",
    "queries",
    "runs",
    "spaces",
    "errors",
    "model",
    "compare",
    "studies",
    "about",
    "main",
)
_IMPORT = re.compile(r"^import [^;]*;\n", re.M)
_EXPORT = re.compile(r"^export ", re.M)


def page_html(contents: Mapping[str, Any]) -> str:
    """The page that shows ``contents``, as :func:`.contents.page_contents` returns them."""
    libraries = "\n".join(_asset(f"vendor/{name}") for name in LIBRARIES)
    program = program_text()
    environment = jinja2.Environment(
        autoescape=True, undefined=jinja2.StrictUndefined, keep_trailing_newline=True
    )
    return environment.from_string(_asset("page.html.j2")).render(
        title=contents["title"],
        policy="; ".join(
            [
                "default-src 'none'",
                f"script-src {_hash(libraries)} {_hash(program)}",
                # The chart library styles what it draws in place.
                "style-src 'unsafe-inline'",
                "img-src data:",
                "base-uri 'none'",
                "form-action 'none'",
            ]
        ),
        style="".join(_asset(f"css/{name}.css") for name in STYLES),
        libraries=libraries,
        program=program,
        contents=inlined_json(contents),
    )


def inlined_json(value: Any) -> str:
    r"""JSON that may stand in a script element, whatever texts it has.

    >>> inlined_json("</script><!--")
    '"\\u003c/script\\u003e\\u003c!--"'
    """
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    for letter in "<>&\u2028\u2029":
        text = text.replace(letter, f"\\u{ord(letter):04x}")
    # Half of a pair, which a caption may have and UTF-8 may not.
    return re.sub("[\ud800-\udfff]", lambda half: f"\\u{ord(half[0]):04x}", text)


def program_text() -> str:
    """All modules as one: their imports of each other are left out, and so is ``export``."""
    texts = [_EXPORT.sub("", _IMPORT.sub("", _asset(f"js/{name}.js"))) for name in MODULES]
    return '"use strict";\n' + "\n".join(texts)


def _asset(name: str) -> str:
    return (ASSETS / name).read_text(encoding="utf-8")


def _hash(text: str) -> str:
    # A browser hashes exactly what is between the tags.
    digest = hashlib.sha256(text.encode()).digest()
    return f"'sha256-{base64.b64encode(digest).decode()}'"
