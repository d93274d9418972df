"""Words that a run's output and the documents use, for `tost explain`; no recipe says them."""

from __future__ import annotations

from tostdsl.compile.language import Entry

TERMS: tuple[Entry, ...] = (
    Entry(
        "run",
        ("seam", "seams"),
        "a seam",
        "a moment of a run at which stages leave the network. The run measures loss, accuracy, "
        "dead units and normalisation statistics before and after, and warns where it costs",
        ("ghost(width=2x, recalibrate=yes) until epoch 40",),
        ("R410",),
        "`metrics.jsonl` in the run folder has a line for each.",
    ),
    Entry(
        "run",
        ("certificate",),
        "`certificate.json` in a run folder",
        "every check that the run made of itself, and what it found: that masked weights stayed "
        "zero, and that nothing a stage added is left",
        (),
        ("R401", "R403", "W026"),
        "`tost verify RUN` repeats it from the folder's files. A run whose certificate fails ends "
        "with status 1.",
    ),
    Entry(
        "run",
        ("fingerprint", "plan"),
        "`plan 1a2b3c4d`",
        "the fingerprint of a plan, or its first digits: two recipes with the same one compute the "
        "same, however they are written",
        (),
        (),
        "`tost plan RECIPE` shows it in full, with everything it stands for.",
    ),
    Entry(
        "run",
        ("segment", "segments", "phase", "phases"),
        "phases and segments in `tost plan`",
        "a phase is one training: a round of finding the mask, or the final one. Within a segment "
        "of it the same stages are at work",
        ("skip until epoch 40",),
    ),
    Entry(
        "run",
        ("checkpoint", "checkpoints", "resume"),
        '`tost run --checkpoint "1 epoch"`, `tost resume RUN`',
        "a run keeps its whole state in its folder, every ten minutes unless `--checkpoint` says "
        "otherwise, before each phase and when it is stopped. `tost resume RUN` goes on from there "
        "to the same bits",
        (),
        ("R204", "R205", "R308", "R704", "R707", "R709", "R710"),
        "`--keep N` says how many of the newest stay, besides the best on held-out images; "
        "`tost run B --from RUN` begins a run of another recipe at one of them; "
        "`tost verify-resume RECIPE` tries it out by killing a run at random steps.",
    ),
    Entry(
        "run",
        ("preset", "presets"),
        "`tost new --preset NAME`",
        "a recipe that ships with the package: a technique as published, or as intended",
        (),
        (),
        "`tost list presets` names them.",
    ),
)


def terms(name: str) -> tuple[Entry, ...]:
    """What a word means in what a run says."""
    return tuple(entry for entry in TERMS if name in entry.names)
