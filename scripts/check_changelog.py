"""Check that the newest heading of CHANGELOG.md carries the version of the code."""

import re
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent


def main() -> int:
    """Compare the two versions.

    Returns:
        0 when they are equal, 1 otherwise.
    """
    about = (ROOT / "src/datainf/__about__.py").read_text(encoding="utf-8")
    log = (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")
    code = re.search(r'^__version__ = "(.+)"$', about, re.MULTILINE)
    newest = re.search(r"^## \[(\d[^\]]*)\]", log, re.MULTILINE)
    versions = [match.group(1) if match else None for match in (code, newest)]
    if None in versions or versions[0] != versions[1]:
        print(
            f"__about__.py says {versions[0]}, the newest heading of CHANGELOG.md says "
            f"{versions[1]}: give both the version of the next release."
        )
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
