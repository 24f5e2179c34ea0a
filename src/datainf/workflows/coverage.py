"""The coverage report: every trained tensor, its size, how it is collected."""

from collections.abc import Mapping

from datainf.core.adapter import Adapter


def coverage_rows(
    adapter: Adapter, paths: Mapping[str, str]
) -> list[dict[str, object]]:
    """List every trained tensor for the manifest.

    Args:
        adapter: What is collected and what is left out.
        paths: Block name -> how it is collected (`rule Linear`, `looped`).

    Returns:
        One dictionary a tensor: `block`, `shape`, `path` and `reason` (why it is left
        out).
    """
    kept: list[dict[str, object]] = [
        {
            "block": trained.block.name,
            "shape": list(trained.block.shape),
            "path": paths[trained.block.name],
            "reason": "",
        }
        for trained in adapter.parameters
    ]
    gone: list[dict[str, object]] = [
        {"block": name, "shape": [], "path": "left out", "reason": reason}
        for name, reason in adapter.left_out
    ]
    return kept + gone


def coverage_text(adapter: Adapter, paths: Mapping[str, str]) -> str:
    """Say in a few lines what will be collected and how.

    Args:
        adapter: What is collected and what is left out.
        paths: Block name -> how it is collected.

    Returns:
        The totals, then one line a way of collecting, then one for all that is left
        out.
    """
    layout = adapter.layout
    kind = f" ({adapter.task_type})" if adapter.task_type else ""
    lines = [
        f"adapter {adapter.name!r}{kind}: {len(layout)} blocks, "
        f"{layout.total:,} parameters, all collected"
    ]
    for path in sorted(set(paths.values())):
        names = [name for name in layout.names if paths[name] == path]
        count = sum(layout.sizes[name] for name in names)
        lines.append(f"  {path}: {len(names)} blocks, {count:,} parameters")
        if path == "looped":
            lines += [f"    {name}" for name in names]
    reasons: dict[str, list[str]] = {}
    for name, reason in adapter.left_out:
        reasons.setdefault(reason, []).append(name)
    for reason, names in reasons.items():
        lines.append(f"  left out, {reason}: {', '.join(names)}")
    return "\n".join(lines)
