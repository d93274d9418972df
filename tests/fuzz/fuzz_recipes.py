"""Coverage-guided fuzzing of the front end: `python tests/fuzz/fuzz_recipes.py [SECONDS]`.

Needs atheris (`pip install tostdsl[fuzz]`). It starts from the shipped recipes, the bad ones of
tests/ui and the texts that once broke a law (tests/fuzz/seeds), with the words of the language as
its dictionary, and holds every law of `laws.py` against what it makes up. What reached something
new is kept in `.fuzz/`, for the next run, and so is what breaks a law.
"""

from __future__ import annotations

import sys
from pathlib import Path

import atheris

ROOT = Path(__file__).parents[2]
KEPT = ROOT / ".fuzz"
sys.path.insert(0, str(ROOT))

with atheris.instrument_imports(include=["tostdsl"]):
    from tests.fuzz.laws import hold
    from tostdsl.compile.compiler import compile_source
    from tostdsl.compile.load import decode
    from tostdsl.diagnostics import TostError
    from tostdsl.source import Source
    from tostdsl.syntax.words import KEYWORDS

WORDS = (
    *KEYWORDS,
    *("from", "until", "for", "at", "on", "except", "over", "sha256", "epoch", "epochs", "step"),
    *("start", "end", "yes", "no", "conv", "linear", "first", "last", "resnet20", "cifar10"),
    *("ghost", "skip", "init", "labels", "random", "lottery", "sgd", "cosine", "multistep"),
    *("width=2x", "sparsity=90%", "anneal", "activation=swish", "rewind", "crop(padding=4)"),
    *("->", ">=", "<=", "2:4", "1e999", "$a", "[", "]", "(", ")", '"', "#", "\\x0a", "\\x0d\\x0a"),
    *("# fmt: off", "# fmt: on", "\\xe2\\x80\\xae", "\\xef\\xbb\\xbf", "\\xd0\\xb0", "\\x00"),
)


def one(data: bytes) -> None:
    """Reads bytes as a file would be read, and holds the laws."""
    try:
        source = decode(data, "recipe.tost")
    except TostError:
        return
    hold(source.text, twice=len(data) % 8 == 0)


def main() -> None:
    """Fuzz for as long as the first argument says; the rest goes to libFuzzer."""
    compile_source(Source("warm.tost", "model resnet20\ndata cifar10\ntrain for 2 epochs\nskip\n"))
    seconds, *options = sys.argv[1:] or ["60"]
    seeds, corpus, words = KEPT / "seeds", KEPT / "corpus", KEPT / "words.dict"
    for folder in (seeds, corpus):
        folder.mkdir(parents=True, exist_ok=True)
    for place in ("recipes", "tests/ui", "tests/fmt", "tests/fuzz/seeds"):
        for path in (ROOT / place).glob("*.tost"):
            (seeds / f"{place.replace('/', '-')}-{path.name}").write_bytes(path.read_bytes())
    quoted = (word.replace('"', '\\"') for word in WORDS)
    words.write_text("".join(f'"{word}"\n' for word in quoted), encoding="utf-8")
    arguments = [f"-max_total_time={seconds}", f"-dict={words}", "-max_len=2048", *options]
    arguments += ["-timeout=10", "-rss_limit_mb=1024", f"-artifact_prefix={KEPT}/found-"]
    atheris.Setup([sys.argv[0], *arguments, str(corpus), str(seeds)], one)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
