"""The values that a function carries, as JSON: what its source does not show.

Arguments of a `functools.partial`, closure cells, defaults, and the attributes of a
callable object. Numbers, texts, booleans, None, and lists, tuples and dictionaries of
them are written out; tensors and arrays by a hash of their bytes; functions by their
name, their source and their own values. Of anything else only the type's name is
written, so two values of such a type are taken as equal. What a function reads from its
module is not looked at. Nothing written depends on the process.
"""

import functools
import hashlib
import inspect
import math
from collections.abc import Mapping
from types import FunctionType, MethodType
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from datainf.integrations.tasks.tokens import source_hash

# What every module of torch has of its own: hooks, and whether it trains.
_OF_TORCH = frozenset(vars(nn.Module()))


def values_of(function: Any) -> Any:
    """Give the values that a function, or a callable object, carries.

    Args:
        function: Anything that can be called.

    Returns:
        JSON values, equal for functions that carry equal values.

    Examples:
        >>> values_of(functools.partial(pow, exp=2))["keywords"]
        {'exp': 2}
    """
    return _carried(function, frozenset())


def qualified_name(function: Any) -> str:
    """Name a function, a type, or the type of a callable object."""
    owner = function if hasattr(function, "__qualname__") else type(function)
    return f"{owner.__module__}.{owner.__qualname__}"


def source_of(function: Any) -> str | None:
    """Hash the source of a function or of a callable object's class.

    Args:
        function: Anything that can be called.

    Returns:
        The hash; None where Python has no source.
    """
    inner = inspect.unwrap(getattr(function, "func", function))
    try:
        code = inspect.getsource(
            inner if hasattr(inner, "__qualname__") else type(inner)
        )
    except (OSError, TypeError):
        return None
    return source_hash(code)


def _carried(function: Any, inside: frozenset[int]) -> dict[str, Any]:
    inside |= {id(function)}
    if isinstance(function, functools.partial):
        return {
            "function": _written(function.func, inside),
            "arguments": _written(function.args, inside),
            "keywords": _written(function.keywords, inside),
        }
    if isinstance(function, MethodType):
        return {
            "object": _carried(function.__self__, inside),
            "function": _written(function.__func__, inside),
        }
    if isinstance(function, FunctionType):
        return {
            "closure": _closure(function, inside),
            "defaults": _written(function.__defaults__, inside),
            "keyword_defaults": _written(function.__kwdefaults__, inside),
        }
    call = getattr(type(function), "__call__", None)  # noqa: B004 - the method itself
    return {
        "attributes": _attributes(function, inside),
        "call": _carried(call, inside) if isinstance(call, FunctionType) else None,
    }


def _closure(function: FunctionType, inside: frozenset[int]) -> dict[str, Any]:
    found = {}
    cells = function.__closure__ or ()
    for name, cell in zip(function.__code__.co_freevars, cells, strict=True):
        try:
            found[name] = _written(cell.cell_contents, inside)
        except ValueError:  # nothing stands there yet
            found[name] = None
    return found


def _attributes(owner: Any, inside: frozenset[int]) -> dict[str, Any]:
    """Write an object's attributes; a module of torch also has tensors inside it."""
    if isinstance(owner, type):
        return {}
    slots = [
        name
        for kind in type(owner).__mro__
        for name in _names(vars(kind).get("__slots__", ()))
        if name not in ("__dict__", "__weakref__") and hasattr(owner, name)
    ]
    found = {name: getattr(owner, name) for name in slots} | getattr(
        owner, "__dict__", {}
    )
    if isinstance(owner, nn.Module):
        tensors = [*owner.named_parameters(), *owner.named_buffers()]
        found = {k: v for k, v in found.items() if k not in _OF_TORCH} | dict(tensors)
    return {str(name): _written(value, inside) for name, value in found.items()}


def _names(slots: Any) -> tuple[str, ...]:
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _written(value: Any, inside: frozenset[int]) -> Any:
    """Write one value; one that stands inside of itself by its type."""
    if value is None or isinstance(value, (bool, int, str)):
        return value
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else {"float": repr(float(value))}
    if isinstance(value, (Tensor, np.ndarray, np.generic)):
        return _hashed(value)
    if id(value) in inside:
        return {"type": qualified_name(type(value))}
    deeper = inside | {id(value)}
    if isinstance(value, (list, tuple)):
        return [_written(item, deeper) for item in value]
    if isinstance(value, Mapping):
        if all(isinstance(key, str) for key in value):
            return {key: _written(item, deeper) for key, item in value.items()}
        pairs = [[_written(k, deeper), _written(v, deeper)] for k, v in value.items()]
        return {"pairs": pairs}
    if isinstance(value, (FunctionType, MethodType, functools.partial)):
        return {
            "function": qualified_name(value),
            "source": source_of(value),
            "values": _carried(value, inside),
        }
    return {"type": qualified_name(type(value))}


def _hashed(value: Any) -> dict[str, Any]:
    """Hash the bytes of a tensor or an array; those without any stand by their type."""
    name = qualified_name(type(value))
    if isinstance(value, Tensor):
        if value.layout is not torch.strided or value.is_meta or value.is_quantized:
            return {"type": name}
        flat = value.detach().cpu().resolve_conj().resolve_neg().contiguous()
        array = flat.reshape(-1).view(torch.uint8).numpy()
    else:
        array = np.asarray(value)
        if array.dtype.hasobject:
            return {"type": name}
    return {
        "type": name,
        "dtype": str(value.dtype),
        "shape": list(value.shape),
        "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
    }
