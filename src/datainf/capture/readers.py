"""Who reads a collected parameter: the modules whose calls its gradient is taken from.

A parameter is held by the module that has it as an attribute; tied ones by several.
Containers (`nn.ParameterDict`, in which PEFT keeps IA3's vectors) are never called:
their parameters are read by the module around them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import nn

from datainf.capture.registry import RULES
from datainf.core.adapter import Adapter

_CONTAINERS = (nn.ParameterDict, nn.ParameterList, nn.ModuleDict, nn.ModuleList)


@dataclass(frozen=True, eq=False)
class Reader:
    """A module and the collected parameters that it reads.

    Attributes:
        module: The module that is called.
        names: Block name -> the parameter's name inside the module.
    """

    module: nn.Module
    names: dict[str, str]

    def by_rule(self, block: str) -> bool:
        """Tell whether the parameter has a rule of its own; it is replayed if not."""
        return self.names[block] in RULES.get(type(self.module), {})

    def path(self, block: str) -> str:
        """Name how a parameter is collected: `rule Linear`, `replay DoraLinearLayer`.

        Args:
            block: One of `names`.

        Returns:
            The way and the module's type.
        """
        way = "rule" if self.by_rule(block) else "replay"
        return f"{way} {type(self.module).__name__}"


def readers_of(model: nn.Module, adapter: Adapter) -> list[Reader]:
    """Find every module that reads a collected parameter.

    Args:
        model: The model.
        adapter: Its adapter.

    Returns:
        One reader a module, in the model's order.
    """
    blocks = {id(t.parameter): t.block.name for t in adapter.parameters}
    modules = dict(model.named_modules(remove_duplicate=False))
    found: dict[int, Reader] = {}
    seen: set[int] = set()
    for path, holder in modules.items():
        if id(holder) in seen:
            continue
        seen.add(id(holder))
        for attribute, parameter in holder.named_parameters(
            recurse=False, remove_duplicate=False
        ):
            if id(parameter) in blocks:
                around, inside = path, attribute
                while around and isinstance(modules[around], _CONTAINERS):
                    around, _, last = around.rpartition(".")
                    inside = f"{last}.{inside}"
                module = modules[around]
                reader = found.setdefault(id(module), Reader(module, {}))
                reader.names[blocks[id(parameter)]] = inside
    return list(found.values())


def paths_of(readers: Sequence[Reader], blocks: Sequence[str]) -> dict[str, str]:
    """Name how each parameter would be collected, before any probe.

    Args:
        readers: Who reads them.
        blocks: Block names.

    Returns:
        Block name -> its readers' ways; nothing for one that no module reads.
    """
    ways: dict[str, set[str]] = {block: set() for block in blocks}
    for reader in readers:
        for block in reader.names:
            ways[block].add(reader.path(block))
    return {block: " and ".join(sorted(found)) for block, found in ways.items()}
