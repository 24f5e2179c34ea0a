"""Lay an environment over the one that runs this script, and check that it wins.

The environment holds only the packages that differ. A `.pth` file appends the running
environment's site-packages to its path, so that whatever it lacks is found there.
"""

import argparse
import subprocess
import sys
import sysconfig
from pathlib import Path

# Both what `import` finds and what the metadata says must be the overlay's.
_PROBE = """
import importlib.metadata, pathlib, sys
own = pathlib.Path(sys.argv[1])
for dist in importlib.metadata.distributions(path=[str(own)]):
    name = dist.metadata["Name"]
    found = importlib.metadata.distribution(name)
    if pathlib.Path(found.locate_file("")) != own:
        sys.exit(f"{name}: {found.version} of the lower environment wins")
    print(f"{name} {found.version}", end="  ")
print()
import accelerate, datasets, peft, tokenizers, transformers
for module in (accelerate, datasets, peft, tokenizers, transformers):
    if own not in pathlib.Path(module.__file__).parents:
        sys.exit(f"{module.__name__} is imported from {module.__file__}, not {own}")
"""


def main() -> None:
    """Write the `.pth` file and run the check inside the overlay."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path, help="the overlay, made by `venv`")
    folder = parser.parse_args().folder.resolve()
    lower = Path(sysconfig.get_path("purelib"))
    own = folder / lower.relative_to(sys.prefix)
    (own / "lower.pth").write_text(
        f"import site; site.addsitedir({str(lower)!r})\n", encoding="utf-8"
    )
    python = folder / "bin" / "python"
    probe = subprocess.run([python, "-c", _PROBE, own], check=False)
    sys.exit(probe.returncode)


if __name__ == "__main__":
    main()
