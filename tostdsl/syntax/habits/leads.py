"""Habits in the word a line starts with: those of other languages, and misspelt ones."""

from __future__ import annotations

import re

from tostdsl.diagnostics import nearest
from tostdsl.syntax.habits.statement import NAME, REACH, Statement, either, shown
from tostdsl.syntax.words import KEYWORDS, NEUTRAL, SLOTS

MEANT = {
    "extends": ("include", "import", "inherits", "inherit", "extend", "base", "use_recipe"),
    "param": ("let", "params", "const", "var", "define", "parameter", "variable", "val"),
    "expect": ("assert", "require", "ensure", "expects", "goal"),
    "recipe": ("name", "title", "experiment"),
    "tost": ("version", "edition"),
    "sweep": ("grid", "for_each", "foreach"),
    "model": ("network", "net", "arch", "architecture", "backbone"),
    "data": ("dataset", "datasets", "data_set"),
    "mask": ("prune", "pruning", "sparsify", "pruner"),
    "optimizer": ("optim", "opt"),
    "schedule": ("scheduler", "lr_scheduler", "lr_schedule"),
}
"""What else people call a statement, by its own word."""
REMOVING = ("no", "not", "disable", "delete", "never", "drop", "exclude", "remove", "disabled",
            "del", "unset", "omit", "dont", "avoid", "ignore", "off", "minus")  # fmt: skip
"""Words that take away what follows them."""
OPTIONAL = ("mask", "optimizer", "schedule")
"""Slots that a recipe may be without."""
GROUPS = ("techniques", "technique", "stages", "stage", "hooks", "callbacks", "methods")
"""Words that others write over the list of what is at work."""
OPTIONS = {
    "tost run --device {value}": ("device",),
    "tost run --device cuda": ("gpu", "gpus", "cuda"),
    "tost run --device cpu": ("cpu",),
    "tost run --data-root {value}": ("data_root", "root", "data_dir"),
    "precision bf16": ("amp", "mixed_precision", "autocast", "fp16", "bf16", "half"),
    "tost run": ("log", "logger", "wandb", "tensorboard", "workers", "num_workers", "output",
                 "save", "checkpoint", "verbose", "threads", "deterministic"),
}  # fmt: skip
"""What is written for a line that others have, by its first word."""
_OPTION = {word: write for write, words in OPTIONS.items() for word in words}
_MEANT = {word: lead for lead, words in MEANT.items() for word in words}
YES = ("yes", "True", "true", "on", "enabled", "Yes", "TRUE")
NO = ("no", "False", "false", "off", "disabled", "No", "none", "None", "null")

_IMPORT = re.compile(r"import\s+[\w., ]+?(?<!\.tost)|from\s+[\w.]+\s+import\s.*")
_ARGUMENT = re.compile(rf"({NAME})\.({NAME})\s*[:=]\s*(\S.*?)\s*$")
_FIRST = re.compile(rf"({NAME})(\s*[:=]+\s*|\s+)(\S.*)", re.DOTALL)
_WINDOW_OF = re.compile(rf"({NAME})(?:\s*\(.*\))?((?:\s+(?:from|until|for|at)\s.*)?)", re.DOTALL)


def strange(word: str, call: str) -> bool:
    """Whether a slot of this word is worth a look, although it can be read as one."""
    if word in NEUTRAL or nearest(word, SLOTS) is not None:
        return False
    if call.partition("(")[0].rstrip() in SLOTS:  # `resnet18 model`
        return True
    if re.match(r"(?:epoch|step)s?\s+(?:from|until|at)\s", call):  # `skip epoch until 4`
        return True
    known = word in _OPTION or word in _MEANT or word in REMOVING or call in (*YES, *NO)
    return known or nearest(word, ("without", *MEANT)) is not None


def leads(text: Statement) -> None:
    """`include "base.tost"`, `let lr = 0.1`, `no skip`, `device cuda`, `praam a = 1`."""
    match = _FIRST.match(text.text)
    if match is None or match[1].lower() in KEYWORDS:
        return
    word, glue, rest = match.groups()
    where = match.span(1)
    if word in REMOVING and glue.isspace():
        removal(text, where, rest, "T202", word)
        return
    reached = re.split(rf"\s+(?={either(REACH)}\s)", rest, maxsplit=1)[0].rstrip()
    if reached in YES and word.lower() not in _OPTION:
        start, end = match.start(2), match.start(3) + len(reached)
        mark = reached
        text.report(
            "T134", (match.start(3), end), (start, end, ""), help=f"write `{word}`", mark=mark,
            reason="", certain=mark != "on",
        )  # fmt: skip
        text.put(start, end, "")
        return
    if reached in NO and word.lower() not in _OPTION:
        removal(text, match.span(3), word, "T134", rest.strip())
        return
    option = _OPTION.get(word.lower())
    value = rest.strip().strip("\"'")
    if option is not None and re.fullmatch(r"[\w.%-]+", value):
        write = option.format(value=value)
        help = f"it is no part of a recipe: see `{write} --help`" if write == "tost run" else None
        sure = (0, match.end(), write) if not write.startswith("tost ") else None
        text.report(
            "T103", where, *([sure] if sure else []), help=help or f"write `{write}`",
            certain=False, name=word,
        )  # fmt: skip
        text.word = word
        return
    if _IMPORT.fullmatch(text.text.strip()) is not None:
        help = "nothing is imported: what is installed can be named; to start from another recipe, "
        text.report("T103", where, help=f'{help}write `extends "base.tost"`', name=word)
        text.word = ""
        return
    lead = _MEANT.get(word.lower())
    if lead == "extends" and glue.isspace() and re.fullmatch(r"[\w./-]+", rest.strip()):
        path = rest.strip()
        path = f'"{path}"' if path.endswith(".tost") else f'"{path}.tost"'
        text.mend(
            "T103", (0, match.end(3)), f"extends {path}", certain=False, place=where,
            help=f"write `extends {path}`", name=word,
        )  # fmt: skip
        return
    near = nearest(word, KEYWORDS)
    if lead is not None and (glue.isspace() or near is None) and _fits(text, lead, rest):
        end = match.end(2) if not glue.isspace() else match.end(1)
        write = f"{lead} " if not glue.isspace() else lead
        line = shown(f"{lead} {rest}")
        help = f"write `{line}`"
        text.mend("T103", (0, end), write, certain=False, place=where, help=help, name=word)
        return
    if near == "without" and glue.isspace() and not extending(text):
        removal(text, where, rest, "T202", word)
        return
    if near is not None and glue.isspace() and near not in SLOTS and _fits(text, near, rest):
        help = f"did you mean `{near}`?"
        text.mend("T103", where, near, certain=False, help=help, name=word)


def dotted(text: Statement) -> None:
    """`ghost.width = 2x`."""
    match = _ARGUMENT.match(text.text)
    if match is None or match[1] in KEYWORDS:
        return
    write = f"{match[1]}({match[2]}={match[3]})"
    made = text.written.composed(
        [match.span(1), "(", match.span(2), "=", match.span(3), ")", (match.end(), len(text.text))]
    )
    edit, place = (0, match.end(), write), (match.start(1), match.end(2))
    text.report("T137", place, edit, certain=False, name=match[1], write=shown(write))
    text.written = made


def _fits(text: Statement, lead: str, rest: str) -> bool:
    """Whether what follows has the form that this statement wants."""
    forms = {
        "param": rf"\$?{NAME}\s*[=:]",
        "sweep": rf"{NAME}\s+(?:over|in)\b|{NAME}\s*[=:]",
        "extends": r"[\"'][^\"']+[\"']",
        "expect": rf"{NAME}\s*(?:[<>=]|\w+ )",
        "without": rf"{NAME}\b(?!\s*[=:])",
        "train": r"for\b|\d",
        "recipe": rf"{NAME}\s*(?:$|\")",
        "tost": r"\d+\s*$",
        "seed": r"\d+\s*$",
        "precision": r"(?:fp|bf)\d+\s*$",
        **dict.fromkeys(SLOTS, rf"{NAME}\s*(?:$|[(\[{{]|{either(REACH)}\b)"),
    }
    return lead in forms and re.match(forms[lead], rest) is not None


def extending(text: Statement) -> bool:
    """Whether the recipe extends another."""
    return re.search(r"^\s*extends\b", text.written.source.text, re.MULTILINE) is not None


def removal(text: Statement, where: tuple[int, int], rest: str, code: str, mark: str) -> None:
    """`no skip`: never read as if it added one."""
    match = _WINDOW_OF.fullmatch(rest.strip())
    write = f"without {match[1]}{match[2]}" if match is not None else "without name"
    first = re.match(NAME, rest.strip())
    kept = first is not None and first.group() in KEYWORDS
    if first is not None and first.group() in OPTIONAL:
        write, kept = f"without {first.group()}", False
    text.word = ""
    edits = [(0, len(text.text), write)] if extending(text) and not kept else []
    help = f"write `{shown(write)}`"
    if not edits:
        help = "delete this line: only what is written is at work"
        help += "" if kept else f"; `{shown(write)}` is for a recipe that extends another"
    text.report(code, where, *edits, help=help, certain=False, name=mark, mark=mark, reason="")
