"""Several files of the page as one text: a front end takes one module of each widget, and loads nothing else."""

import re
from pathlib import Path

_IMPORT = re.compile(r'^import \{ \w+(?:, \w+)* \} from "\./(\w+\.js)";\n', re.MULTILINE)
_EXPORT = re.compile(r"^export (?=async|class|const|function|let)", re.MULTILINE)


def joined(entry: Path) -> str:
    """A JavaScript module with all that it imports, each file once and after those that it imports itself.

    They share one scope then: no name at the top of a file may be at the top of another, and no import renames.
    """
    texts: dict[Path, str] = {}

    def add(path: Path) -> None:
        text = path.read_text(encoding="utf-8")
        for name in _IMPORT.findall(text):
            if path.with_name(name) not in texts:
                add(path.with_name(name))
        texts[path] = _IMPORT.sub("", text)

    add(entry)
    *others, last = texts.values()
    return "\n".join([*(_EXPORT.sub("", text) for text in others), last])
