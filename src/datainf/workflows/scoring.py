"""From a scoring run to the arguments of `score`."""

from typing import Any

from datainf.core.errors import OptionError
from datainf.core.options import Fisher, ScoreOptions
from datainf.core.run_config import RunConfig
from datainf.estimators.table import build
from datainf.store.reader import open_store
from datainf.workflows.checkpoints import refuse_checkpoints
from datainf.workflows.data import require_data


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


def sources_of(config: RunConfig) -> dict[str, Any]:
    """Open the stores that a run scores.

    Args:
        config: The run; it can ask for no more than stores tell.

    Returns:
        `train`, `queries` and, where one is named, `curvature`.

    Raises:
        OptionError: If a sampled Fisher is asked for, which needs the model.
        OptionError: If the run asks for groups or tokens, which stores do not tell.
    """
    train = require_data(config.train, "store of training gradients", "--train")
    queries = require_data(config.queries, "store of query gradients", "--queries")
    scoring_of(config.score)
    if config.score.fisher != Fisher.EMPIRICAL:
        raise OptionError(
            "fisher='sampled' draws labels from a model, and `datainf score` has none; "
            "collect a store with --output sampled and give it as --curvature."
        )
    if config.group_by is not None or config.tokens is not None:
        raise OptionError(
            "stores hold neither the data's columns nor the model: leave group_by and "
            "tokens out, and run `datainf top SCORES --group-by COLUMN --rows FILE`, "
            "or `datainf attribute --tokens K`."
        )
    refuse_checkpoints(config, "datainf score")
    named = {"train": train, "queries": queries, "curvature": config.curvature}
    return {name: open_store(one.data) for name, one in named.items() if one}
