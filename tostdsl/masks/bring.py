"""A mask from a file: read, told what it is, matched with the network, and reported."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from torch import Tensor

from tostdsl.diagnostics import TostError
from tostdsl.masks.carriers import Carried, Entry, as_mask, carried
from tostdsl.masks.exported import KEY, gap
from tostdsl.masks.matching import MOST, Matches, Weights, match, size, unknown
from tostdsl.masks.reading import Content, Unreadable, read
from tostdsl.plan.masking import MaskSite, shapes_of

if TYPE_CHECKING:
    from tostdsl.masks.file import File

ROOM, TIMES = 64 << 20, 16
"""Bytes that a file may have, and beside them how many times what the network takes: a checkpoint
holds an optimizer's moments, too, perhaps in double precision, perhaps of several networks."""


def bring(spec: File, site: MaskSite) -> dict[str, Tensor]:
    """The masks (bool, True is kept) of the weights in scope, from the file of a `file(…)`.

    `TostError`: R160 where it cannot be read, R161 where it is another file than the recipe means,
    T508 where it does not fit the network or has masks of nothing in it, T560 where it prunes
    nothing, T561 where it prunes what is not in scope, T562 where a mask has other values than 0
    and 1.
    """
    content, found = _read(spec, site)
    weights = _weights(site)
    matches = match(found.entries, weights, found.ordered)
    masks = {
        name: _mask(spec, found, matches.of[name].entry).to(weight.device)
        for name, weight in site.weights.items()
    }
    _agree(spec, found, weights, masks)
    ignored = _outside(spec, found, matches, masks, weights)
    strays = _strays(spec, found, matches, weights)
    if all(bool(mask.all()) for mask in masks.values()):
        raise TostError.of("T560", path=spec.path, carrier=found.said)
    _tell(spec, site, content, found, matches, masks, ignored, strays)
    return masks


def _read(spec: File, site: MaskSite) -> tuple[Content, Carried]:
    held = sum(t.numel() * t.element_size() for t in site.model.state_dict().values())
    try:
        content = read(Path(spec.path).expanduser(), ROOM + TIMES * held)
        if spec.sha256 not in (None, content.sha256):
            raise TostError.of("R161", path=spec.path, found=content.sha256)
        if KEY in content.notes and (why := gap(content.notes[KEY], content.tree)):
            raise Unreadable(why)
        return content, carried(content, spec.carrier)
    except Unreadable as why:
        raise TostError.of("R160", path=spec.path, reason=why, help=why.help) from None


def _weights(site: MaskSite) -> Weights:
    every = dict(site.model.named_parameters(remove_duplicate=False))
    scope = shapes_of(site.weights)
    first = {id(weight): name for name, weight in reversed(every.items())}
    first |= {id(every[name]): name for name in scope if name in every}
    matrices = {name: weight for name, weight in every.items() if weight.dim() > 1}
    outside = {
        name: tuple(weight.shape)
        for name, weight in matrices.items()
        if first[id(weight)] == name and name not in scope
    }
    aliases = {name: first[id(weight)] for name, weight in matrices.items()}
    buffers = (name for name, _ in site.model.named_buffers())
    return Weights(
        scope,
        outside,
        tuple(name for name in every if name in scope or name in outside),
        frozenset({*every, *buffers} - set(matrices)),
        {name: own for name, own in aliases.items() if own != name},
    )


def _mask(spec: File, found: Carried, entry: Entry) -> Tensor:
    mask = as_mask(entry, found.zeros, spec.ones)
    if isinstance(mask, Tensor):
        return mask
    value, place = mask
    where = ", ".join(map(str, place))
    if found.zeros:
        reason = f"`{entry.source}` holds {value} at [{where}], so its zeros say nothing"
        help = "name a checkpoint from before its weights were lost"
        raise TostError.of("R160", path=spec.path, reason=reason, help=help)
    raise TostError.of("T562", name=entry.source, path=spec.path, value=value, place=where)


def _outside(
    spec: File,
    found: Carried,
    matches: Matches,
    masks: Mapping[str, Tensor],
    weights: Weights,
) -> list[str]:
    """What the file prunes that the scope leaves dense; `TostError` T561 unless that is meant."""
    for each in matches.again:
        first = masks.get(each.weight)
        if first is not None and not _mask(spec, found, each.entry).equal(first.cpu()):
            both = f"`{matches.of[each.weight].entry.source}` and `{each.entry.source}`"
            raise TostError.of("T508", reason=f"{both} are of one weight, and differ")
    rest = [matches.of[name].entry for name in matches.of if name in weights.outside]
    pruned = []
    for entry in [*rest, *matches.plain]:
        zeros = int((~_mask(spec, found, entry)).sum())
        if zeros:
            of = f"{zeros:,} of {entry.tensor.numel():,}"
            pruned.append(f"`{entry.source}` ({size(entry.shape)}: {of})")
    if pruned and spec.outside == "refuse":
        more = f" and {len(pruned) - 3} more" if len(pruned) > 3 else ""
        raise TostError.of("T561", path=spec.path, names=", ".join(pruned[:3]) + more)
    return pruned


def _strays(spec: File, found: Carried, matches: Matches, weights: Weights) -> list[str]:
    """What the file has for nothing in the network; `TostError` T508 where it is a mask.

    A tensor of a checkpoint is none unless it has zeros, nor is a row of ones, which other
    implementations of a network have for biases under names of their own.
    """
    strays, masks = [], []
    for entry in matches.left:
        zeros = not bool(_mask(spec, found, entry).all())
        if zeros or len(entry.shape) > 1:
            strays.append(entry.source)
            masks += [entry] if zeros or not found.zeros else []
    if masks and spec.outside == "refuse":
        raise unknown(masks, weights)
    return strays


def _agree(spec: File, found: Carried, weights: Weights, masks: Mapping[str, Tensor]) -> None:
    """Hold masks against what else the file says is pruned; `TostError` R160 where they differ.

    A checkpoint that prunes nothing says nothing: its weights are those from before the masks.
    """
    if (other := found.beside) is None:
        return
    try:
        matches = match(other.entries, weights, other.ordered)
        theirs = {name: _mask(spec, other, matches.of[name].entry) for name in masks}
    except TostError:
        return  # of another network, or no masks
    if all(bool(mask.all()) for mask in theirs.values()):
        return
    wrong = next((n for n, mask in masks.items() if not theirs[n].equal(mask.cpu())), None)
    if wrong is None:
        return
    first = f"`{found.where}` ({int(masks[wrong].sum()):,} of {masks[wrong].numel():,} kept)"
    second = f"{other.said} ({int(theirs[wrong].sum()):,})"
    reason = f"{first} and {second} in it differ about `{wrong}`"
    help = f"say which ones count: `carrier={found.carrier}`"
    help += " or `carrier=zeros`" if other.zeros else ", or take the others out of the file"
    raise TostError.of("R160", path=spec.path, reason=reason, help=help)


def _tell(
    spec: File,
    site: MaskSite,
    content: Content,
    found: Carried,
    matches: Matches,
    masks: Mapping[str, Tensor],
    ignored: list[str],
    strays: list[str],
) -> None:
    """The match report: lines for whoever watches, a JSON file for the run folder."""
    layers: dict[str, dict[str, Any]] = {}
    for name, mask in masks.items():
        each, kept = matches.of[name], int(mask.sum())
        shape, total = list(mask.shape), mask.numel()
        layers[name] = {"from": each.entry.source, "matched": each.how, "shape": shape}
        layers[name] |= {"kept": kept, "weights": total}
    site.tell(f"mask file: {spec.path}, {content.size:,} bytes, sha256 {content.sha256}")
    site.tell(f"mask file: {found.said}")
    if spec.sha256 is None:
        text = f'write `sha256="{content.sha256}"`'
        site.tell(f"mask file: what is in it is no part of the plan; {text} to make it so")
    wide = max(map(len, layers))
    shapes = {name: size(tuple(layer["shape"])) for name, layer in layers.items()}
    deep = max(map(len, shapes.values()))
    for name, layer in layers.items():
        density = f"density {layer['kept'] / layer['weights']:7.2%}"
        source = "" if layer["from"] == name else f", {layer['from']}"
        matched = f"{layer['matched']}{source}"
        site.tell(f"  {name:<{wide}}  {shapes[name]:<{deep}}  {density}  {matched}")
    if ignored:
        site.tell(f"mask file: outside of the scope, and left dense: {', '.join(ignored)}")
    if strays:
        more = f" and {len(strays) - MOST} more" if len(strays) > MOST else ""
        names = ", ".join(f"`{name}`" for name in strays[:MOST])
        site.tell(f"mask file: not in the network, and left aside: {names}{more}")
    report = {
        "path": spec.path,
        "sha256": content.sha256,
        "bytes": content.size,
        "carrier": found.carrier,
        "what": found.said,
        "ignored": ignored,
        "strays": strays,
        "layers": layers,
    }
    assert spec.report is not None
    site.record(spec.report, report)


def refute(sha256: str | None, report: Any, masks: Mapping[str, Tensor]) -> str:
    """What in a run's match report does not fit the plan or the masks; empty if all does."""
    layers = report.get("layers") if isinstance(report, dict) else None
    if not isinstance(layers, dict) or not all(isinstance(each, dict) for each in layers.values()):
        return "is no match report"
    if sha256 is not None and report.get("sha256") != sha256:
        return "names another file than the plan"
    if set(layers) != set(masks):
        return "is about other layers than the masks"
    for name, mask in masks.items():
        told = [layers[name].get(key) for key in ("shape", "kept", "weights")]
        if told != [list(mask.shape), int(mask.sum()), mask.numel()]:
            return f"tells another mask of `{name}`"
    return ""
