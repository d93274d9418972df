"""Train sparse neural networks from recipes that say what runs.

From Python, `import tostdsl as tost`: nothing behind these names is loaded before it is used.
"""

TYPE_CHECKING = False
if TYPE_CHECKING:
    from tostdsl import build
    from tostdsl.api import load, plan_from_json, resume, verify
    from tostdsl.build.diffs import Diff, diff
    from tostdsl.build.measures import epoch, epochs, percent, ramp, step, steps, times
    from tostdsl.build.recipe import Recipe
    from tostdsl.build.runs import Run, open_run, run
    from tostdsl.build.sweeps import plans
    from tostdsl.build.techniques import Ghost, Init, Labels, Skip
    from tostdsl.build.texts import check, format
    from tostdsl.diagnostics import Diagnostic, TostError
    from tostdsl.engine.run import RunOptions
    from tostdsl.plan.plan import Plan

__all__ = [
    "Diagnostic",
    "Diff",
    "Ghost",
    "Init",
    "Labels",
    "Plan",
    "Recipe",
    "Run",
    "RunOptions",
    "Skip",
    "TostError",
    "build",
    "check",
    "diff",
    "epoch",
    "epochs",
    "format",
    "load",
    "open_run",
    "percent",
    "plan_from_json",
    "plans",
    "ramp",
    "resume",
    "run",
    "step",
    "steps",
    "times",
    "verify",
]

_PLACES = {
    "api": ("load", "plan_from_json", "resume", "verify"),
    "build.diffs": ("Diff", "diff"),
    "build.measures": ("epoch", "epochs", "percent", "ramp", "step", "steps", "times"),
    "build.recipe": ("Recipe",),
    "build.runs": ("Run", "open_run", "run"),
    "build.sweeps": ("plans",),
    "build.techniques": ("Ghost", "Init", "Labels", "Skip"),
    "build.texts": ("check", "format"),
    "diagnostics": ("Diagnostic", "TostError"),
    "engine.run": ("RunOptions",),
    "plan.plan": ("Plan",),
}

if not TYPE_CHECKING:  # else any name would do for a type checker

    def __getattr__(name):
        from importlib import import_module

        for place, names in _PLACES.items():
            if name in names:
                value = getattr(import_module(f"tostdsl.{place}"), name)
                globals()[name] = value
                return value
        if name == "build":
            return import_module("tostdsl.build")
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}", name=name)

    def __dir__():
        return sorted({*(name for name in globals() if name[:2] == "__"), *__all__})
