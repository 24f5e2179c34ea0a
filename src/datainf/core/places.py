"""Places where stores may lie: folders, which are memory-mapped, and no addresses."""

from pathlib import Path

from datainf.core.errors import OptionError


def local_path(place: str | Path) -> Path:
    """Take the path of a folder.

    Args:
        place: What the user gave.

    Returns:
        The path.

    Raises:
        OptionError: If it is an address such as `s3://bucket/store`, which as a path
            would be a folder of that name here.

    Examples:
        >>> local_path("runs/train").name
        'train'
    """
    if "://" in str(place):
        raise OptionError(
            f"{place} is an address, and a store is a folder on a file system, since "
            "it is memory-mapped; copy it here (aws s3 sync, gsutil rsync, rclone), or "
            "mount the bucket."
        )
    return Path(place)
