"""From flags to what a command is given.

A command lists the flags of `flag_table` that it takes; what the user gave arrives as
one `Given`, flags that were not given absent.
"""

import inspect
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import typer
import yaml

from datainf.cli.flag_table import FLAGS
from datainf.cli.flag_values import complete
from datainf.core.errors import OptionError

# What YAML 1.1 takes for a text, and a user for a number.
_POWER_OF_TEN = re.compile(r"[-+]?\d+(\.\d*)?[eE][-+]?\d+")


@dataclass(frozen=True)
class Given:
    """What the user gave.

    Attributes:
        values: Flag -> value, only those that were given.
        argument: The positional argument, if the command has one.
    """

    values: Mapping[str, Any] = field(default_factory=dict)
    argument: str | None = None

    def __getitem__(self, name: str) -> Any:
        """Give a flag's value, None where it was not given."""
        return self.values.get(name)

    def run_values(self) -> dict[str, Any]:
        """Arrange the flags as in run.yaml."""
        found: dict[str, Any] = {}
        for name, value in self.values.items():
            if FLAGS[name].path is not None:
                _put(found, FLAGS[name].path or (), value)
        return found


def signature(names: tuple[str, ...], argument: str | None) -> inspect.Signature:
    """Write the signature that typer reads.

    Args:
        names: Flags of the command.
        argument: Metavariable of the positional argument, if there is one. In square
            brackets it need not be given.

    Returns:
        One keyword parameter a flag.
    """
    parameters = []
    if argument is not None:
        needed = not argument.startswith("[")
        shown = typer.Argument(
            ... if needed else None, metavar=argument.strip("[]"), show_default=False
        )
        parameters.append(_parameter("argument", str if needed else str | None, shown))
    for name in names:
        flag = FLAGS[name]
        option = typer.Option(
            False if flag.kind is bool else None,
            *flag.names,
            help=flag.help,
            show_default=False,
            rich_help_panel=flag.panel,
            autocompletion=complete(name),
        )
        kind: Any = list[flag.kind] if flag.many else flag.kind  # type: ignore[name-defined]
        parameters.append(
            _parameter(name, kind if flag.kind is bool else kind | None, option)
        )
    return inspect.Signature(parameters)


def bind(
    command: Callable[[Given], None], names: tuple[str, ...], argument: str | None
) -> Callable[..., None]:
    """Make the function that typer calls.

    Args:
        command: The command's body.
        names: Its flags.
        argument: Metavariable of its positional argument, if it has one.

    Returns:
        A function with a parameter a flag, which gathers them for the body.
    """

    def run(**values: Any) -> None:
        place = values.pop("argument", None)
        given = {
            name: list(value) if FLAGS[name].many else value
            for name, value in values.items()
            if value is not None and value is not False and value != []
        }
        command(Given(given, place))

    shape = signature(names, argument)
    run.__signature__ = shape  # type: ignore[attr-defined]
    run.__annotations__ = {p.name: p.annotation for p in shape.parameters.values()}
    run.__doc__ = command.__doc__
    run.__name__ = command.__name__
    return run


def value_of(text: str) -> Any:
    """Read one value: numbers and true/false as such, all else as run.yaml would.

    Args:
        text: As typed.

    Returns:
        The value; the text itself where it is no YAML.

    Examples:
        >>> [value_of(text) for text in ("50", "1e-3", "no", "mean")]
        [50, 0.001, False, 'mean']
    """
    if _POWER_OF_TEN.fullmatch(text):
        return float(text)
    try:
        return yaml.safe_load(text)
    except yaml.YAMLError:
        return text


def pairs(
    texts: list[str] | None,
    flag: str,
    such_as: str,
    read: Callable[[str], Any] = value_of,
) -> dict[str, Any]:
    """Read `key=value` texts.

    Args:
        texts: As given.
        flag: The flag, for the message.
        such_as: A right text, for the message.
        read: Makes the value; `str` where a name is meant, which may be "no" or "7".

    Returns:
        Key -> value.

    Raises:
        OptionError: If a text has no `=`.
    """
    found = {}
    for text in texts or []:
        key, equals, value = text.partition("=")
        if not equals or not key:
            raise OptionError(f"{flag} {text!r} must be key=value, such as {such_as}.")
        found[key] = read(value)
    return found


def _parameter(name: str, kind: Any, default: Any) -> inspect.Parameter:
    return inspect.Parameter(
        name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind
    )


def _put(values: dict[str, Any], path: tuple[str, ...], value: Any) -> None:
    for key in path[:-1]:
        values = values.setdefault(key, {})
    values[path[-1]] = value
