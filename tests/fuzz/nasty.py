"""Inputs within the limits that are as heavy as they can be, by name."""

from __future__ import annotations

from collections.abc import Callable
from itertools import count

from tostdsl.compile.sweeps import MAX_SWEEP
from tostdsl.syntax.words import MAX_BYTES, MAX_ITEMS, MAX_NESTING, MAX_STATEMENTS

HEAD = "model resnet20\ndata cifar10\ntrain for 100000 steps\n"
NASTY: dict[str, Callable[[], str]] = {}


def nasty(make: Callable[[], str]) -> Callable[[], str]:
    """Put an input among the others."""
    NASTY[make.__name__] = make
    return make


def full(line: str) -> str:
    """A megabyte of one line."""
    return line * (MAX_BYTES // len(line.encode()))


def lines(make: Callable[[int], str], limit: int = MAX_STATEMENTS) -> str:
    """As many lines, each made of its number, as fit into a file and its limit of statements."""
    text, size = [HEAD], len(HEAD)
    for number in count():
        line = make(number) + "\n"
        size += len(line.encode())
        if size > MAX_BYTES or number + 4 > limit:
            return "".join(text)
        text.append(line)
    raise AssertionError


for _name, _line in {
    "calls": "a()\n",
    "words": "a\n",
    "square_brackets": "[",
    "round_brackets": "(",
    "closing_brackets": ")]",
    "calls_in_calls": "a(",
    "open_calls_on_lines": "a(\n",
    "quotes": '"',
    "strings": '"a" ',
    "quotes_on_lines": '"\n',
    "hashes": "#",
    "comments": "#\n",
    "empty_lines": "\n",
    "carriage_returns": "\r",
    "one_word": "a",
    "one_number": "9",
    "minus": "-",
    "dots": "1.1.",
    "dollars": "$a",
    "backslashes": '"\\\\',
    "controls": "\0",
    "odd_letters": "\u0430",
    "typographic_quotes": "“",
    "quoted_on_lines": "“a”\n",
    "composed_otherwise": "e\u0301\n",
    "spaces": " ",
    "no_break_spaces": "\u00a0",
    "wrong_on_every_line": "a b c\n",
    "missing_marks": "a(x 1)\n",
    "missing_commas": "1 ",
    "unknown_statements": "modle 3\n",
    "equals": "a = 1\n",
    "semicolons": "a;b\n",
    "seeds": "seed 1\n",
    "off_and_on": "# fmt: off\n# fmt: on\n",
    "bad_numbers": "seed 1e999\n",
}.items():
    NASTY[_name] = lambda line=_line: full(line)  # type: ignore[misc]


@nasty
def missing_commas_in_a_list() -> str:
    """A list of numbers, a space between."""
    return HEAD + "ghost(at=[" + "1 " * 500_000 + "])\n"


@nasty
def a_list_at_its_limit() -> str:
    """As many moments as a list may have."""
    items = ", ".join(f"step {i + 1}" for i in range(MAX_ITEMS))
    return HEAD + f"schedule multistep(at=[{items}], factor=0.5)\n"


@nasty
def a_list_over_its_limit() -> str:
    """More items than a list may have."""
    return HEAD + "schedule multistep(at=[" + "1," * 400_000 + "])\n"


@nasty
def many_lists_at_their_limit() -> str:
    """A megabyte of lists, each of them allowed."""
    row = f"ghost(a=[{'1,' * MAX_ITEMS}])\n"
    return HEAD + row * ((MAX_BYTES - len(HEAD)) // len(row))


@nasty
def deep_lists() -> str:
    """Lists as deep as they may be, on every line."""
    depth = MAX_NESTING - 1
    return lines(lambda i: f"a(x={'[' * depth}{']' * depth})")


@nasty
def deep_calls() -> str:
    """Calls as deep as they may be, on every line."""
    depth = MAX_NESTING - 1
    return lines(lambda i: f"a(x={'b(' * depth}1{')' * depth})")


@nasty
def many_arguments() -> str:
    """One argument again and again."""
    return HEAD + "ghost(" + "width=2x," * 100_000 + ")\n"


@nasty
def unknown_arguments() -> str:
    """Unknown arguments close to the known ones."""
    return HEAD + "ghost(" + ",".join(f"activatio{i}=1" for i in range(50_000)) + ")\n"


@nasty
def the_same_stage() -> str:
    """One stage as often as a file may have it: all of them in conflict."""
    return lines(lambda i: "ghost(activation=swish)")


@nasty
def stages_side_by_side() -> str:
    """Many windows without a conflict."""
    return lines(lambda i: f"labels(smoothing=0.1) from step {i} until step {i + 1}")


@nasty
def stages_of_disjoint_layers() -> str:
    """Stages that only their layers keep apart."""
    return lines(lambda i: f'ghost(activation=swish) on "layer{i % 3 + 1}.{i % 3}.conv{i % 2 + 1}"')


@nasty
def many_selectors() -> str:
    """Selectors that match nothing, all different."""
    return HEAD + "skip on " + ", ".join(f'"layer{i}*"' for i in range(60_000)) + "\n"


@nasty
def selectors_of_many_stages() -> str:
    """A few hundred selectors for each of many stages."""
    some = ", ".join(f'"lay*er{i}"' for i in range(100))
    return lines(lambda i: f"skip from step {i} until step {i + 1} on {some}, conv")


@nasty
def starry_selectors() -> str:
    """Globs that take long to match."""
    return lines(lambda i: f'skip from step {i} until step {i + 1} on "{"*a" * 20}{i}"')


@nasty
def globs_of_many_layers() -> str:
    """Globs of a deep network that match nothing, as many as a list may have."""
    globs = ", ".join(f'"*.*{i}"' for i in range(9000))
    deep = "model cifar_resnet(200)\ndata cifar10\ntrain for 20 epochs\n"
    return deep + f"ghost(width=2x) until epoch 5 on {globs}\n"


@nasty
def globs_that_match_many_layers() -> str:
    """Globs of a deep network that all match, each in a way of its own."""
    stars = ("*".join(f"{i:b}".translate({48: "?", 49: "*?"})) for i in range(1, 9000))
    globs = ", ".join(f'"{each}*"' for each in stars)
    deep = "model cifar_resnet(200)\ndata cifar10\ntrain for 20 epochs\n"
    return deep + f"ghost(width=2x) until epoch 5 on {globs}\n"


@nasty
def long_globs() -> str:
    """Globs as long as strings may be, of stars and letters."""
    globs = ", ".join(f'"{"*a" * 31_000}{i}"' for i in range(15))
    return HEAD + f"ghost(width=2x) until 25% on {globs}\n"


@nasty
def long_classes_in_globs() -> str:
    """Globs as long as strings may be, whose brackets hold thousands of letters or never close."""
    forms = (f"[{'ab' * 31_000}]", "[a]" * 20_000, "[" * 62_000, "[]" * 31_000)
    globs = ", ".join(f'"{form}{i}"' for i in range(4) for form in forms[: 4 - (i == 3)])
    return HEAD + f"ghost(width=2x) until 25% on {globs}\n"


@nasty
def windows_one_after_the_other() -> str:
    """A plan of as many segments as stages."""
    head = "model resnet20\ndata cifar10\ntrain for 999999 epochs\n"
    return head + "".join(
        f"ghost(width=2x) from epoch {i} until epoch {i + 1}\n" for i in range(16_000)
    )


@nasty
def windows_in_windows() -> str:
    """A plan in whose segments thousands of stages are at work."""
    head = "model resnet20\ndata cifar10\ntrain for 999999 epochs\n"
    return head + "".join(f"skip from epoch {i} until epoch {40_000 - i}\n" for i in range(16_000))


@nasty
def lookalikes() -> str:
    """A letter of another script on every line, each with a certain fix."""
    return HEAD + "gh\u043est(width=2x)\n" * 30_000


@nasty
def params_in_a_chain() -> str:
    """Each param refers to the one before."""
    return lines(lambda i: f"param a{i} = $a{i - 1}" if i else "param a0 = 1") + "seed $a9000\n"


@nasty
def params_that_double() -> str:
    """Each param is a list of the one before, twice."""
    chain = lines(
        lambda i: f"param a{i} = [$a{i - 1}, $a{i - 1}]" if i else "param a0 = [1, 1]", 64
    )
    return chain + "schedule multistep(at=$a60)\n"


@nasty
def a_long_param_in_many_stages() -> str:
    """A list at its limit, used on every line."""
    items = ", ".join(f"{i / 200}%" for i in range(1, MAX_ITEMS))
    text = HEAD + f"param at = [{items}]\n"
    row = "skip(anneal=step(at=$at)) from step {i} until step {j}\n"
    return text + "".join(row.format(i=i, j=i + 1) for i in range(10_000))


@nasty
def unknown_params() -> str:
    """References to params that are not there, close to those that are."""
    names = "".join(f"param {'a' * 200}{i} = 1\n" for i in range(1500))
    return HEAD + names + "".join(f"seed ${'a' * 200}x{i}\n" for i in range(1500))


@nasty
def unused_params() -> str:
    """Params that nothing uses."""
    return lines(lambda i: f"param a{i} = {i}")


@nasty
def unknown_techniques() -> str:
    """Names close to those there are."""
    return lines(lambda i: f"ghos{i}(width=2x)")


@nasty
def long_unknown_names() -> str:
    """Unknown names as long as names may be."""
    return lines(lambda i: f"{'g' * 240}{i}(width=2x)")


@nasty
def wrong_types() -> str:
    """A wrong type on every line."""
    return lines(lambda i: f"ghost(width={i}) until {i}")


@nasty
def windows_past_the_end() -> str:
    """A window past the end on every line."""
    return lines(lambda i: f"labels(smoothing=0.1) until step {i + 200_000}")


@nasty
def a_sweep_at_its_limit() -> str:
    """As many runs as sweeps may stand for."""
    seeds = ", ".join(map(str, range(MAX_SWEEP)))
    return HEAD + f"sweep seed over [{seeds}]\nghost(activation=swish) until 25%\n"


@nasty
def a_wrong_sweep_at_its_limit() -> str:
    """Every run with a mistake of its own."""
    values = ", ".join(f"{i}x" for i in range(MAX_SWEEP))
    return HEAD + f"param w = 2x\nsweep w over [{values}]\nskip(anneal=$w)\nghost(activation=$w)\n"


@nasty
def a_sweep_of_many_stages() -> str:
    """A large recipe as often as sweeps allow."""
    seeds = ", ".join(map(str, range(MAX_SWEEP)))
    some = lines(lambda i: f"labels(smoothing=0.1) from step {i} until step {i + 1}", 5_000)
    return some + f"sweep seed over [{seeds}]\n"


@nasty
def many_sweeps() -> str:
    """Sweeps whose product is beyond all bounds."""
    return lines(lambda i: f"param a{i} = 1\nsweep a{i} over [1, 2]", MAX_STATEMENTS // 2)


@nasty
def many_expectations() -> str:
    """Expectations that all say something else."""
    return lines(lambda i: f"expect {('accuracy', 'loss')[i % 2]} >= {i % 97}{'%' * (1 - i % 2)}")


@nasty
def moments_past_the_end() -> str:
    """Moments that training never reaches."""
    items = ", ".join(f"step {i + 100_000}" for i in range(MAX_ITEMS))
    return HEAD + f"schedule multistep(at=[{items}], factor=0.5)\n"


@nasty
def mixed_statements() -> str:
    """Everything there is, on as many lines as a file may have."""
    forms = (
        "ghost(width=2x) from step {i} until step {j}",
        "labels(smoothing=0.1 -> 0) from step {i} until step {j}",
        "skip(anneal=cosine) from step {i} for 1 step except last",
        "param a{i} = [1, 2x, epoch 3]  # {i}",
    )
    return lines(lambda i: forms[i % 4].format(i=i, j=i + 1))


@nasty
def slashes_on_one_line() -> str:
    """What is no token, again and again."""
    return HEAD + "// " * 300_000 + "\n"


@nasty
def semicolons_with_blanks() -> str:
    """The same behind a statement."""
    return HEAD + "seed 1" + " ;" * 400_000 + "\n"


@nasty
def block_comments() -> str:
    """Comments as other languages have them."""
    return HEAD + "/* */ " * 160_000 + "\n"


@nasty
def pairs_of_typographic_quotes() -> str:
    """One fix with as many edits as there is room for."""
    return HEAD + "”“ " * 140_000 + "\n"


@nasty
def typographic_arrows() -> str:
    """Each stands for two characters."""
    return HEAD + "→ " * 200_000 + "\n"
