"""The documents that people read: the README and the pages under docs/."""

from reliability_platform.settings import PROJECT_ROOT

README = PROJECT_ROOT / "README.md"
DOCS = PROJECT_ROOT / "docs"
PAGES = [README, *sorted(DOCS.rglob("*.md"))]
ALL_TEXT = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
