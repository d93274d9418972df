"""The words of the language itself, for `tost explain`, `tost list` and grammar/README.md's tables.

What techniques, masks, models and the rest are called, the registry knows; these words the grammar
knows.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Kind = Literal["statement", "value", "window", "targets", "metric", "run"]


@dataclass(frozen=True, slots=True)
class Entry:
    """A form of the language: the words that lead to it, how it is written and what it means.

    `form` and `meaning` are a row of a table in grammar/README.md, in Markdown.
    """

    kind: Kind
    names: tuple[str, ...]
    form: str
    meaning: str
    examples: tuple[str, ...]
    """Statements, as they would stand in a recipe."""
    codes: tuple[str, ...] = ()
    more: str = ""


def _statement(
    names: str, form: str, meaning: str, *examples: str, codes: str = "", more: str = ""
) -> Entry:
    return Entry("statement", tuple(names.split()), form, meaning, examples, _words(codes), more)


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


LANGUAGE: tuple[Entry, ...] = (
    _statement("tost", "`tost 1`", "the edition of the language; optional", "tost 1", codes="T218"),
    _statement(
        "recipe",
        '`recipe NAME "title"`',
        "name and title; without it the name is the file's. Neither changes the plan's fingerprint",
        'recipe resnet20_baseline "ResNet-20, no technique"',
    ),
    _statement(
        "extends sha256",
        '`extends "base.tost"`',
        "start from another recipe, relative to this file and inside the top recipe's folder; an "
        'optional `sha256 "…"` must match the file',
        'extends "base.tost"',
        codes="T213 T214 T215 T216 T217 T260",
        more="What the base says holds unless this file says it anew. Addresses of the web are "
        "reserved and not opened yet.",
    ),
    _statement(
        "without",
        "`without ghost until epoch 40, mask`",
        "take inherited stages out, by name, or by name and window; put `mask`, `optimizer`, "
        "`schedule`, `seed` or `precision` back to its default; drop all expectations "
        "(`without expect`)",
        "without ghost until epoch 40, skip",
        "without mask",
        codes="T210 T220 T230 T232 W040",
    ),
    _statement(
        "param",
        "`param NAME = value`",
        "a value used as `$NAME`; `--set NAME=value` changes it, within the type written here",
        "param sparsity = 90%",
        codes="T204 T207 T301 T308 W003",
    ),
    _statement(
        "sweep over",
        "`sweep NAME over [a, b]`",
        "one run for each value of a param, or of `seed`; several sweeps multiply",
        "sweep sparsity over [80%, 90%, 95%]",
        "sweep seed over [1, 2, 3]",
        codes="T310 T311 T320 T321 T351 W020",
    ),
    _statement(
        "model",
        "`model NAME(…)`",
        "the network; must be there",
        "model resnet18(stem=cifar)",
        codes="T205 T208",
        more="`tost list models` lists them.",
    ),
    _statement(
        "data",
        "`data NAME(…)`",
        "the data set and what is done to its images; must be there",
        "data cifar10(batch=128, augment=[crop(padding=4), flip])",
        codes="T205 T208",
        more="`tost list data` lists them.",
    ),
    _statement(
        "mask",
        "`mask NAME(…) window targets`",
        "which weights stay; none means dense training",
        "mask random(sparsity=90%) except first, last",
        codes="T205 T409 T505",
        more="`tost list masks` lists them. Its sparsity is a share of the weights it may prune. "
        "Only a mask that moves while the network trains takes a window.",
    ),
    _statement(
        "optimizer",
        "`optimizer NAME(…)`",
        "`sgd` when left out",
        "optimizer sgd(lr=0.1, momentum=0.9)",
        codes="T205",
        more="`tost list optimizers` lists them.",
    ),
    _statement(
        "schedule",
        "`schedule NAME(…)`",
        "how the learning rate moves; `cosine` when left out",
        "schedule multistep(at=[50%, 75%], factor=0.1)",
        codes="T205 T412",
        more="`tost list schedules` lists them.",
    ),
    _statement(
        "train",
        "`train for N epochs`",
        "the length, in `epochs` or `steps`; must be there",
        "train for 160 epochs",
        codes="T205 T208",
    ),
    _statement("seed", "`seed N`", "of every random choice; 0 when left out", "seed 1"),
    _statement(
        "precision fp32 bf16 fp16",
        "`precision fp32`",
        "or `bf16`, `fp16`; `fp32` when left out",
        "precision bf16",
    ),
    _statement(
        "stage stages window",
        "`NAME(…) window targets`",
        "a stage: one technique over a window of training, on some layers",
        'ghost(activation=swish) until 25% on "layer3.*"',
        codes="T201 T401 T402 T404 T424 T431",
        more="`tost list techniques` lists them.",
    ),
    _statement(
        "expect",
        "`expect METRIC OP value`",
        "checked when the run ends, with `>=`, `<=`, `>` or `<`. A miss has its own exit status, 4",
        "expect accuracy >= 94%",
        codes="T312 T420 T421 T425 W022",
    ),
    Entry("value", ("number", "integer"), "`64`, `0.1`, `2e-4`", "a number", ("seed 64",)),
    Entry(
        "value",
        ("percent", "%"),
        "`90%`",
        "a percent; a share between 0 and 1, `0.9`, is taken for one with a warning",
        ("param sparsity = 90%",),
        ("T302", "W001"),
        "As a moment it is that share of training: `until 25%`. It is no length: `for 25%` is "
        "refused.",
    ),
    Entry("value", ("factor",), "`2x`", "a factor", ("ghost(width=2x) until epoch 40",)),
    Entry(
        "value",
        ("pattern",),
        "`2:4`",
        "a pattern, for masks: two of four; `64:2:8` has three parts",
        ("mask nm(2:4)",),
    ),
    Entry(
        "value",
        ("moment", "epoch", "step", "start", "end"),
        "`epoch 40`, `step 1000`, `25%`, `start`, `end`",
        "a moment of training: the word first",
        ("skip from epoch 5 until end", "schedule multistep(at=[epoch 90, epoch 135])"),
        ("T136", "T401", "T403", "T412"),
        "Epochs and steps count from 0, so `epoch 0` is the start.",
    ),
    Entry(
        "value",
        ("length", "duration", "epochs", "steps"),
        "`40 epochs`, `1 epoch`, `200 steps`",
        "a length of training: the number first",
        ("train for 160 epochs", "skip from epoch 5 for 20 epochs"),
        ("T413",),
    ),
    Entry(
        "value",
        ("string",),
        '`"images/birds"`',
        'text in double quotes, with `\\"` and `\\\\`',
        ('data imagefolder("images/birds")',),
        ("T104", "T139"),
    ),
    Entry("value", ("yes", "no"), "`yes`, `no`", "yes or no", ("optimizer sgd(nesterov=yes)",)),
    Entry(
        "value",
        ("name", "call"),
        "`linear`, `crop(padding=4)`",
        "a name, or one with arguments",
        ("skip(anneal=linear)",),
    ),
    Entry(
        "value",
        ("list",),
        "`[epoch 90, epoch 135]`",
        "a list; a comma may stand at its end",
        ("schedule multistep(at=[50%, 75%])",),
        ("T153",),
    ),
    Entry(
        "value",
        ("ramp",),
        "`0.1 -> 0`",
        "a ramp: from, to, over the stage's window, along its anneal",
        ("labels(smoothing=0.2 -> 0) until epoch 80",),
        ("T307", "T423"),
        "`tost explain NAME` says of each argument whether it takes one.",
    ),
    Entry(
        "value",
        ("reference", "$"),
        "`$sparsity`",
        "the value of a param",
        ("param sparsity = 90%",),
        ("T204",),
    ),
    Entry(
        "window",
        ("from",),
        "`from MOMENT`",
        "starts there; the start of training when left out",
        ("skip from epoch 5",),
        ("T401", "T431"),
    ),
    Entry(
        "window",
        ("until",),
        "`until MOMENT`",
        "ends there, that epoch or step not among it; the end of training when left out",
        ("skip until epoch 40",),
        ("T401", "T402"),
    ),
    Entry(
        "window",
        ("for",),
        "`for LENGTH`",
        "ends so much later, in place of `until`",
        ("skip from epoch 5 for 20 epochs", "train for 160 epochs"),
        ("T406", "T413"),
        "A length is epochs or steps; `for 25%` is refused, `until 25%` is what to write.",
    ),
    Entry(
        "window",
        ("at",),
        "`at MOMENT`",
        "one moment, for what acts once; stands alone",
        ("init(rescale=fanin_masked) at start",),
        ("T405", "T407", "T408"),
        "The argument `at` of schedules and anneals is written `at=[…]`.",
    ),
    Entry(
        "targets",
        ("on",),
        "`on SELECTOR, …`",
        "these layers; all that the technique can work on when left out",
        ('skip until 25% on "layer3.*", first',),
        ("T410", "T501"),
    ),
    Entry(
        "targets",
        ("except",),
        "`except SELECTOR, …`",
        "not these layers",
        ("mask random(sparsity=90%) except first, last",),
        ("T410", "T501", "T502"),
    ),
    Entry(
        "targets",
        ("conv", "linear", "first", "last", "selector"),
        "`conv`, `linear`, `first`, `last`",
        "the convolutions, the linear layers, the first layer, the last one",
        ("skip until 25% on conv except last",),
        ("T501",),
    ),
    Entry(
        "targets",
        ("glob",),
        '`"layer3.*"`',
        "a glob over module names: `*` any letters, `?` one, `[12]` one of these. It also takes "
        "everything below the modules it matches",
        ('ghost(activation=swish) until 25% on "layer[12]"',),
        ("T501",),
    ),
    Entry(
        "metric",
        ("accuracy",),
        "`accuracy`",
        "percent of the test set's images that are classified rightly",
        ("expect accuracy >= 94%",),
    ),
    Entry(
        "metric",
        ("loss",),
        "`loss`",
        "cross-entropy on the test set, a number",
        ("expect loss <= 0.5",),
    ),
    Entry(
        "metric",
        ("sparsity",),
        "`sparsity`",
        "percent of the weights in the mask's scope that are zero",
        ("expect sparsity >= 90%",),
        ("T504",),
    ),
)

ELSEWHERE = (
    "snfs", "movement", "wanda", "sparsegpt", "topkast", "dsr", "mest", "deepr", "prospr",
)  # fmt: skip
"""Methods of other authors that there is no name for; they are no slips of other names."""


def entries(name: str) -> tuple[Entry, ...]:
    """What the language itself means by a word."""
    return tuple(entry for entry in LANGUAGE if name in entry.names)


def statements() -> dict[str, str]:
    """Each statement's first word with what it does, for a list; a stage has none of its own."""
    return {entry.names[0]: entry.meaning for entry in LANGUAGE if entry.kind == "statement"}
