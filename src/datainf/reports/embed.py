r"""Data and scripts inside one HTML file, so that nothing can break out of its element.

json_text    JSON with <, > and & as \u escapes: `</script>` and `<!--` cannot occur
packed       gzip and base64, for what weighs megabytes: letters only, half the size
policy       a Content-Security-Policy that lets exactly the given scripts run, by
             their hashes, and lets nothing be loaded from anywhere
"""

import base64
import gzip
import hashlib
import json
from collections.abc import Sequence
from typing import Any


def json_text(value: Any) -> str:
    r"""Write JSON that may stand inside a script element.

    Args:
        value: Lists, dictionaries with string keys, strings, finite numbers.

    Returns:
        ASCII text without `<`, `>` or `&`.

    Examples:
        >>> json_text(["</script>"])
        '["\\u003c/script\\u003e"]'
    """
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    return text


def packed(content: str | bytes) -> str:
    """Compress a text or bytes; the same always give the same letters.

    Args:
        content: What the page will unpack.

    Returns:
        Base64 of its gzip.
    """
    held = content.encode("utf-8") if isinstance(content, str) else content
    data = gzip.compress(held, compresslevel=5, mtime=0)
    return base64.b64encode(data).decode("ascii")


def policy(scripts: Sequence[str]) -> str:
    """Allow these scripts and inline styles, and nothing else.

    Args:
        scripts: The exact text of each script that may run.

    Returns:
        The content of a Content-Security-Policy.
    """
    hashes = (hashlib.sha256(script.encode("utf-8")).digest() for script in scripts)
    allowed = " ".join(
        f"'sha256-{base64.b64encode(digest).decode('ascii')}'" for digest in hashes
    )
    return (
        "default-src 'none'; base-uri 'none'; form-action 'none'; img-src data:; "
        f"style-src 'unsafe-inline'; script-src {allowed}"
    )
