"""Every message the project can give, by code. A code never changes its meaning.

T1 syntax, T2 names, T3 values and units, T4 time and conflicts, T5 what does not fit the model,
the data or the mask, W warnings, R what went wrong while running.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, slots=True)
class Entry:
    """Message and help of a code; both are `str.format` templates."""

    message: str
    help: str | None = None
    severity: Literal["error", "warning", "note"] = "error"


def _warning(message: str, help: str | None = None) -> Entry:
    return Entry(message, help, "warning")


CATALOGUE: dict[str, Entry] = {
    # -- syntax
    "T101": Entry("expected {expected}, found {found}"),
    "T102": Entry("missing `{token}`", "put `{token}` here"),
    "T103": Entry("unknown statement `{name}`"),
    "T104": Entry("this string has no end", 'close it with `"` on the same line'),
    "T105": Entry("unexpected character {char}"),
    "T106": Entry("this text is not UTF-8: byte {byte} at offset {offset}", "save it as UTF-8"),
    "T107": Entry("a positional argument after a named one", "write `name=value`"),
    "T108": Entry("the control character {char} is not allowed in a recipe", "remove it"),
    "T109": Entry("this file is {size} bytes long, the limit is {limit}"),
    "T110": Entry("brackets nested deeper than {limit}"),
    "T111": Entry(
        "the formatter would change what this file says; it is left as it is",
        "please report it with the recipe",
    ),
    # -- names
    "T201": Entry("unknown {kind} `{name}`"),
    "T202": Entry("unknown slot `{name}`"),
    "T203": Entry("`{owner}` has no argument `{name}`"),
    "T204": Entry("`${name}` is not a param of this recipe"),
    "T205": Entry("`{name}` is set twice", "keep one of the two"),
    "T206": Entry("argument `{name}` is given twice", "keep one of the two"),
    "T207": Entry("param `{name}` is declared twice", "keep one of the two"),
    "T208": Entry("this recipe has no `{name}`", "add a line such as `{example}`"),
    "T209": Entry("`{owner}` needs the argument `{name}`", "write `{owner}({name}={example})`"),
    "T210": Entry("`without {name}` removes nothing: no inherited stage has this name"),
    "T211": Entry("`{owner}` takes named arguments only"),
    "T212": Entry("`--set {name}`: this recipe declares no such param"),
    "T213": Entry("cannot read `{path}`: {reason}"),
    "T214": Entry("`{path}` extends itself: {chain}"),
    "T215": Entry(
        "`{path}` lies outside the folder of the top recipe",
        "extend a file in the recipe's own folder or below it",
    ),
    "T216": Entry("`{path}` is remote; remote recipes are not opened"),
    "T217": Entry("`{path}` does not have the checksum written here"),
    "T218": Entry("this recipe needs edition {edition}, this is edition 1", "upgrade tostdsl"),
    "T219": Entry("recipes extend one another deeper than {limit}"),
    "T220": Entry("`without` is for recipes that extend another", "add `extends`, or remove it"),
    # -- values and units
    "T301": Entry("`{name}` wants {expected}, found {found}"),
    "T302": Entry("`{name}` wants a percent, found {found}", "write `{write}`"),
    "T303": Entry("`{name}` must be {bound}, found {found}"),
    "T304": Entry("`{name}` cannot be `{found}`", "choose one of {choices}"),
    "T305": Entry("`{name}` wants {expected}, found {found}", "write `{write}`"),
    "T306": Entry("this number is too large or too precise", "use at most 15 digits"),
    "T307": Entry("`{name}` cannot be a ramp", "write one value"),
    "T308": Entry("param `{name}` refers to a param declared after it", "declare that one first"),
    "T310": Entry("the recipe's sweeps stand for {count} runs, the limit is {limit}"),
    "T311": Entry("`{name}` is swept twice", "keep one of the two"),
    "T312": Entry("unknown metric `{name}`", "choose one of {choices}"),
    # -- time and conflicts
    "T401": Entry("this window ends at {end}, after training does"),
    "T402": Entry("this window is empty: it starts at {start} and ends at {end}"),
    "T403": Entry("`{found}` is not a moment of training", "write {example}"),
    "T404": Entry("`{first}` and `{second}` both claim {claim} over the same stretch of training"),
    "T405": Entry("`{name}` acts at one moment, so it has no window", "write `at {moment}`"),
    "T406": Entry("a window ends once: `until` or `for`, not both"),
    "T407": Entry("`at` stands alone: no `from`, `until` or `for` beside it"),
    "T408": Entry("`{name}` works over a stretch of training, not at one moment"),
    "T409": Entry("`{name}` takes no window", "remove it"),
    "T410": Entry("`{name}` takes no targets", "remove them"),
    "T411": Entry("this window has a part given twice", "keep one of the two"),
    "T412": Entry("`{name}` is at {moment}, after training ends"),
    "T413": Entry("`{name}` is {length} long, training is {whole}"),
    # -- what does not fit
    "T501": Entry("`{selector}` matches no module of `{model}`"),
    "T502": Entry("`{stage}` has nothing to work on in `{model}`: {reason}"),
    "T503": Entry("`{model}` cannot be traced: {reason}"),
    "T504": Entry("`{name}`: {reason}"),
    "T505": Entry("a sparsity of {wanted} cannot be met: {reason}"),
    "T506": Entry("`{model}` does not take images of {shape}: {reason}"),
    "T507": Entry(
        "layer collapse: a sparsity of {sparsity} leaves no weight in {layers}",
        "lower `sparsity`, leave small layers dense with `except`, or share it out by layer "
        "(`over=layer`, `distribution=erk`)",
    ),
    "T508": Entry("these masks do not fit the network: {reason}"),
    "T520": Entry("`{owner}` has no use for `{name}`: only {owners} {verb}", "remove it"),
    "T521": Entry(
        "`init(rescale=learned)` needs second derivatives, and the network has none: {reason}",
        "choose another `rescale`",
    ),
    "T522": Entry(
        "`{name}` has no use here: with {why} nothing is smoothed unless `smoothing` is given",
        "add `smoothing`, or remove it",
    ),
    "T530": Entry(
        "a density of {density} keeps none of the {total} weights of `{weight}`",
        "raise `density`, or leave the layer out with `except`",
    ),
    # -- warnings
    "W001": _warning("`{name}` is a percent, written as a fraction", "write `{write}`"),
    "W002": _warning(
        "`{name}` ends by a jump: with `anneal=none` its weight is still 1 when it leaves",
        "let it fall, for example `anneal=linear`",
    ),
    "W003": _warning("param `{name}` is never used", "remove it"),
    "W004": _warning("the plug-in `{name}` could not be loaded: {reason}"),
    "W025": _warning(
        "`form=sharpen` ends by a small jump: at a beta of {beta} each activation moves by up to "
        "{gap}",
        "end at a larger `beta`, or let it fade with `form=blend`",
    ),
    "W026": _warning(
        "`{name}` stays in the network, so the certificate fails",
        "remove `keep=yes`, or run with `--allow-ghosts`",
    ),
    # -- while running
    "R101": Entry("the data set `{name}` is not at {where}", "{how}"),
    "R102": Entry("{where} does not hold the data set `{name}`: {reason}"),
    "R103": Entry("cannot read {path}: {reason}"),
    "R104": Entry(
        "the data set `{name}` could not be downloaded to {where}: {reason}",
        "check the network, or rehearse on random images with `--fake-data`",
    ),
    "R201": Entry("{path} already holds a run", "choose another folder with `--out`"),
    "R202": Entry("cannot write {path}: {reason}"),
    "R203": Entry("{path} is not empty and holds no run", "choose another folder with `--out`"),
    "R301": Entry("there is no `{device}` device here", "use `--device auto`"),
    "R302": Entry("the loss is {value} at step {step} of {phase}", "lower the learning rate"),
    "R303": Entry("out of memory on {device}", "lower the batch size"),
    "R305": Entry(
        "the scores of `{layer}` are not numbers, so its weights cannot be ranked",
        "lower the learning rate",
    ),
    "R320": Entry(
        "`init(rescale=learned)` met a gradient of norm {size}, which no scale can be learned from",
        "check that the mask leaves a way from the images to the classes, or another `rescale`",
    ),
    "R401": Entry("the certificate failed: {reason}"),
    "R402": Entry("{reason}"),
    "R901": Entry("internal error: {reason}", "please report it with the recipe"),
}
