"""From the `score:` of run.yaml to the arguments of `score`."""

from typing import Any

from datainf.core.options import Fisher, ScoreOptions
from datainf.estimators.table import build


def scoring_of(options: ScoreOptions) -> dict[str, Any]:
    """Arrange scoring options as keyword arguments, checked.

    Args:
        options: The `score:` of a run.

    Returns:
        What `attribute` takes besides the method; what was left open is absent.
    """
    shared: dict[str, Any] = {
        "damping": options.damping,
        "blocks": options.blocks,
        "normalize": options.normalize,
    }
    build(options.method, **shared, options=options.options)
    shared["agreement"] = options.agreement
    given = {name: value for name, value in shared.items() if value is not None}
    if options.fisher != Fisher.EMPIRICAL:
        given["fisher"] = str(options.fisher)
    return {**given, **options.options, "keep_blocks": options.keep_blocks}
