"""Whether the links of a built site lead somewhere, and whether its pages load anything from elsewhere."""

from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

LOADED = {"img": "src", "script": "src", "iframe": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    """What a page links to, what it loads, and the names of its places."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loaded: list[str] = []
        self.places: set[str] = set()
        self.feed(path.read_text(encoding="utf-8"))

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attributes}
        self.places |= {given[name] for name in ("id", "name") if name in given}
        if tag == "a" and "href" in given:
            self.links.append(given["href"])
        if LOADED.get(tag, "") in given:
            self.loaded.append(given[LOADED[tag]])


def broken(site: Path) -> list[str]:
    """A line for each link of a page to read that leads nowhere, and for whatever it loads from another address."""
    pages = {path: Page(path) for path in site.rglob("*.html") if not path.is_relative_to(site / "run")}
    wrong = []
    for path, page in pages.items():
        away = [address for address in page.loaded if urlsplit(address).netloc]
        missing = [
            address for address in (*page.links, *page.loaded) if not leads_somewhere(address, path, site, pages)
        ]
        name = path.relative_to(site)
        wrong += [f"{name} loads {address}" for address in away] + [f"{name} links to {address}" for address in missing]
    return wrong


def leads_somewhere(address: str, path: Path, site: Path, pages: dict[Path, Page]) -> bool:
    parts = urlsplit(address)
    if parts.scheme or parts.netloc:
        return parts.scheme in ("https", "data", "mailto")
    target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
    target = target / "index.html" if target.is_dir() else target
    if not target.is_relative_to(site) or not target.is_file():
        return False
    if target.is_relative_to(site / "run"):  # a notebook in JupyterLite
        return all((site / "run" / "files" / name).is_file() for name in parse_qs(parts.query).get("path", []))
    return not parts.fragment or target not in pages or unquote(parts.fragment) in pages[target].places
