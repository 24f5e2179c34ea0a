"""Which Fisher: when a curvature of drawn labels may be asked for, and where it lies.

H of the empirical Fisher is (1/N) Σ g gᵀ over the training gradients themselves. That
of the sampled one is the same mean over gradients at labels that the model draws: an
unbiased estimate of its Fisher, in which the true labels have no part. Training and
query gradients stay at their own labels.
"""

from datainf.core.errors import OptionError, StoreError
from datainf.core.identity import identity_of
from datainf.core.options import CollectOptions, Fisher, Normalize, Output, word
from datainf.core.source import GradientSource
from datainf.estimators.base import Estimator


def require_curvature(estimator: Estimator) -> None:
    """Refuse drawn labels for a method in which they have no place.

    Args:
        estimator: The method with its options.

    Raises:
        OptionError: If it has no curvature or one of margins, or scales curvature rows
            to unit length.
    """
    if not estimator.divides:
        raise OptionError(
            f"{estimator.name} has no curvature, so it cannot use a sampled Fisher; "
            "leave fisher='sampled' (--fisher) and the curvature out, or choose "
            "another method."
        )
    if estimator.output != Output.LOSS:
        raise OptionError(
            f"{estimator.name} has a curvature of {estimator.output}s, so it cannot "
            "use a sampled Fisher; leave fisher='sampled' (--fisher) and the curvature "
            "out, or choose another method."
        )
    normalize = word(Normalize, estimator.normalize, "normalize")
    if normalize.scales_rows:
        raise OptionError(
            f"normalize={str(normalize)!r} would divide each gradient at drawn labels "
            "by its own length, whose mean product is no Fisher any more; use "
            "normalize='none' with a sampled Fisher."
        )


def require_fisher(
    given: object, estimator: Estimator, options: CollectOptions
) -> Fisher:
    """Check what a run says about its Fisher.

    Args:
        given: `fisher` of the run, or None.
        estimator: The method.
        options: How the training gradients are collected.

    Returns:
        The Fisher; the empirical one where nothing is said.

    Raises:
        OptionError: If its parts do not fit each other.
    """
    fisher = word(Fisher, Fisher.EMPIRICAL if given is None else given, "fisher")
    if options.output == Output.SAMPLED:
        raise OptionError(
            "output='sampled' is for `collect`: training examples and queries are "
            "scored at their own labels; ask for a curvature of drawn labels with "
            "fisher='sampled' (--fisher sampled)."
        )
    if fisher is Fisher.EMPIRICAL and options.draws:
        raise OptionError(
            f"samples={options.samples} and sample_seed={options.sample_seed} belong "
            "to fisher='sampled'; give it (--fisher sampled), or leave them out."
        )
    if fisher is Fisher.SAMPLED:
        if options.output != Output.LOSS:
            raise OptionError(
                f"fisher='sampled' is the curvature of the loss, got "
                f"output={str(options.output)!r}; use output='loss'."
            )
        require_curvature(estimator)
    return fisher


def curvature_name(options: CollectOptions) -> str:
    """Name the folder of the curvature rows by what chooses them.

    Args:
        options: `samples` and `sample_seed` are used.

    Returns:
        As in "curvature-sampled-4-0".
    """
    return f"curvature-sampled-{options.samples}-{options.sample_seed}"


def is_sampled(source: GradientSource) -> bool:
    """Say whether a source's rows are at drawn labels; plain tensors never say so."""
    identity = identity_of(source)
    return identity is not None and identity.output["name"] == Output.SAMPLED


def require_own_labels(source: GradientSource, what: str) -> None:
    """Refuse rows at drawn labels where those of examples are needed.

    Args:
        source: The rows.
        what: What they are, for the message.

    Raises:
        StoreError: If their labels are drawn.
    """
    if is_sampled(source):
        raise StoreError(
            f"{what} are gradients at labels drawn from the model (output='sampled'), "
            "which say nothing of single examples; collect them with output='loss', "
            "and give this store as curvature= (--curvature)."
        )


def require_output(source: GradientSource, estimator: Estimator) -> None:
    """Refuse training gradients of what the method is not made for.

    Args:
        source: The training gradients; those of the queries must be alike in any case.
        estimator: The method: some need margins, and some Adam's gradients, the loss's.

    Raises:
        StoreError: If both are known and differ.
    """
    identity = identity_of(source)
    if identity is None:
        return
    found = identity.output["name"]
    free = estimator.output == Output.LOSS and not estimator.needs_moments
    if found != estimator.output and not free:
        raise StoreError(
            f"{estimator.name} is made of gradients of the {estimator.output}, and "
            f"these are of the {found}; collect training examples and queries with "
            f"output={estimator.output!r} (--output {estimator.output})."
        )


def require_collected(
    estimator: Estimator, options: CollectOptions, *, over: bool = False
) -> None:
    """Refuse to collect what the method cannot score.

    Args:
        estimator: The method.
        options: How gradients will be collected.
        over: Whether at checkpoints of a training.

    Raises:
        OptionError: If it needs another output, or an optimizer's moments.
    """
    if estimator.needs_moments and not over:
        raise OptionError(
            f"{estimator.name} needs Adam's moments at checkpoints of the training, "
            "which an adapter alone has not; train with save_strategy: epoch and name "
            "the checkpoints' folder with checkpoints= (--checkpoints)."
        )
    if estimator.needs_moments and options.output != Output.LOSS:
        raise OptionError(
            f"{estimator.name} is made of gradients of the loss, as Adam's moments "
            f"are, got output={str(options.output)!r}; leave it out."
        )
    if estimator.output != Output.LOSS and options.output != estimator.output:
        raise OptionError(
            f"{estimator.name} is made of gradients of the {estimator.output}, got "
            f"output={str(options.output)!r}; give output={estimator.output!r} "
            f"(--output {estimator.output})."
        )
