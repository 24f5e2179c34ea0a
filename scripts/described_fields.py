"""What mkdocs reads of options that are `described(default, "what it does")`.

An extension of griffe, which reads the sources for the reference and runs none of them:
a described field is shown with its default, its description under the class it is in.
"""

import ast
from typing import Any

import griffe

DESCRIBED = "datainf.core.options.described"


class DescribedFields(griffe.Extension):
    """Default and description of every described field."""

    def on_attribute_instance(self, *, attr: griffe.Attribute, **_: Any) -> None:
        """Take the call apart."""
        call = attr.value
        if isinstance(call, griffe.ExprCall) and call.canonical_path == DESCRIBED:
            default, text, *_rest = call.arguments
            attr.value = default
            attr.docstring = griffe.Docstring(ast.literal_eval(str(text)), parent=attr)
            attr.extra["datainf"]["described"] = True

    def on_class_members(self, *, cls: griffe.Class, **_: Any) -> None:
        """List the fields in the class's docstring, but for those that it names."""
        fields = [
            f"    {name}: {member.docstring.value}"
            for name, member in cls.members.items()
            if not member.is_alias
            and member.docstring
            and member.extra["datainf"].get("described")
            and cls.docstring
            and f"\n    {name}: " not in cls.docstring.value
        ]
        if fields and cls.docstring:
            cls.docstring.value += "\n\nArgs:\n" + "\n".join(fields)
