"""Functions of a user's own: found, called, and blamed at the right place."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import pytest

from tests.conftest import Write
from tostdsl.diagnostics import TostError
from tostdsl.usercode import called, problems, source_of


def said(function: str, *kwargs: str, **offered: object) -> tuple[str, str | None]:
    """Message and help of what calling it raises."""
    path = list(sys.path)
    with pytest.raises(TostError) as caught:
        called(function, kwargs, offered)
    assert path == sys.path
    (found,) = caught.value.diagnostics
    assert "R340" == found.code
    return found.message, found.help


@pytest.mark.parametrize(
    ("function", "meant"),
    [
        ("nets.tiny", "nets:tiny"),
        ("nets.py:tiny", "nets:tiny"),
        ("./lab/nets.py:tiny()", "lab.nets:tiny"),
        ("nets::tiny", "nets:tiny"),
        ("nets", "package.module:function"),
        ("nets:tiny.small", "package.module:function"),
        ("..nets:tiny", "package.module:function"),
        ("nets:tiny\n", "nets:tiny"),
        ("nëts:tiny", "package.module:function"),
        ("", "package.module:function"),
    ],
)
def test_a_function_is_a_module_and_a_name(function: str, meant: str) -> None:
    """Anything else is refused, with what was probably meant."""
    (found,) = problems(function, ())
    assert (("function",), f'write `"{meant}"`') == (found.fields, found.help)
    assert [] == list(problems("lab.nets_2:tiny", ()))


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("16", "is not `name=value`"),
        ("=16", "is not `name=value`"),
        ("a.b=16", "is not `name=value`"),
        ("width", "what `width` is given"),
        ("width=", "what `width` is given"),
        ("act=relu", "what `act` is given"),
        ("act=__import__('os').getcwd()", "what `act` is given"),
        ("sizes=[1, 2", "what `sizes` is given"),
        ("set={[]}", "what `set` is given"),
        (r"text='\d'", "what `text` is given"),
        ("deep=" + "(" * 5000 + ")" * 5000, "what `deep` is given"),
    ],
)
def test_an_argument_is_a_name_and_a_literal(text: str, words: str) -> None:
    """Nothing else is, and nothing of it is evaluated."""
    (found,) = problems("nets:tiny", (text,))
    assert ("kwargs",) == found.fields
    assert words in str(found.values["reason"])
    assert 1 == len(list(problems("nets:tiny", ("a=1", "b=2", "a=3"))))


def test_it_gets_what_it_has_parameters_for(own: Write) -> None:
    """Literals by name, and of what is offered what it names; all of that with `**`."""
    own(
        "calls_a.py",
        "def some(width, num_classes=0, *, flag=True): return width, num_classes, flag\n"
        "def every(**rest): return rest\n"
        "def none(): return 'none'\n"
        "def positional(num_classes=1, /): return num_classes\n"
        "class Made:\n"
        "    def __init__(self, num_classes): self.classes = num_classes\n",
    )
    offered = {"num_classes": 5, "in_channels": 3}
    assert ([1, "x"], 5, None) == called("calls_a:some", ("width=[1, 'x']", "flag=None"), offered)
    assert {"a": -1.5, **offered} == called("calls_a:every", ("a = -1.5",), offered)
    assert {**offered, "num_classes": 7} == called("calls_a:every", ("num_classes=7",), offered)
    assert "none" == called("calls_a:none", (), offered)
    assert 1 == called("calls_a:positional", (), offered)
    assert 5 == called("calls_a:Made", (), offered).classes


def test_the_current_folder_comes_first_and_only_for_the_call(own: Write) -> None:
    """A package there is found, modules beside it too, even in the function itself."""
    own("calls_lab/__init__.py", "")
    own("calls_lab/nets.py", "def tiny():\n    from calls_beside import x\n    return x\n")
    own("calls_beside.py", "x = 12\n")
    path = list(sys.path)
    assert 12 == called("calls_lab.nets:tiny", (), {})
    assert path == sys.path


def test_what_it_prints_goes_to_the_error_stream(
    own: Write, capsys: pytest.CaptureFixture[str]
) -> None:
    """What a command prints may be read by a program."""
    own("calls_print.py", "print('on import')\ndef f():\n    print('on call')\n    return 1\n")
    assert 1 == called("calls_print:f", (), {})
    assert ("", "on import\non call\n") == capsys.readouterr()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x = 1\n1 / 0\n", "cannot be imported at NAME.py:2: ZeroDivisionError: division by zero"),
        ("def f(:\n", "cannot be imported at NAME.py:1: SyntaxError: invalid syntax"),
        (
            "import not_there.at_all\n",
            "cannot be imported at NAME.py:1: ModuleNotFoundError: No module named 'not_there'",
        ),
        (
            "import sys\nsys.exit('usage: …')\n",
            "cannot be imported at NAME.py:2: SystemExit: usage: …",
        ),
        (
            "def f():\n    return g()\ndef g():\n    raise ValueError('one\\ntwo')\n",
            "failed at NAME.py:4: ValueError: one",
        ),
        (
            "import json\ndef f():\n    return json.loads('{')\n",
            "failed at NAME.py:3: JSONDecodeError: ",
        ),
        ("def f():\n    raise KeyError\n", "failed at NAME.py:2: KeyError"),
        ("def f():\n    raise ValueError('x' * 5000)\n", "failed at NAME.py:2: ValueError: xxx"),
        (
            "from tostdsl.diagnostics import TostError\n"
            "def f():\n    raise TostError.of('R101', name='a', where='b', how='c')\n",
            "failed at NAME.py:3: TostError: [R101] the data set `a` is not at b",
        ),
    ],
)
def test_a_failure_names_the_innermost_place_of_the_users(
    own: Write, text: str, message: str
) -> None:
    """One line with file and line in their code, also where a library of theirs raises."""
    name = f"calls_fail_{hashlib.sha256(text.encode()).hexdigest()[:8]}"
    own(f"{name}.py", text)
    found, _ = said(f"{name}:f")
    assert found.startswith(f"`{name}:f` {message.replace('NAME', name)}")
    assert len(found) < 350
    assert "\n" not in found


def test_the_place_may_be_in_another_file_of_theirs(own: Write) -> None:
    """A module beside it, but not what is installed in an environment below the folder."""
    own("calls_two.py", "from calls_three import deep\ndef f():\n    return deep()\n")
    own(
        "calls_three.py",
        "import sys\nsys.path.insert(0, 'env/site-packages')\nimport calls_lib\n"
        "def deep():\n    return calls_lib.fail()\n",
    )
    own("env/site-packages/calls_lib.py", "def fail():\n    raise OSError('no')\n")
    assert "`calls_two:f` failed at calls_three.py:5: OSError: no" == said("calls_two:f")[0]


def test_what_is_not_there_is_said(own: Write) -> None:
    """A module, a package, a function, with a near name; and a module of another place."""
    own("calls_names.py", "def tiny(width): return width\nsmall = 3\n")
    message, help = said("calls_nowhere:tiny")
    assert message.endswith("cannot be imported: there is no module `calls_nowhere`")
    assert help is not None
    assert "the current folder first" in help
    assert said("calls_names.sub:f")[0].endswith("there is no module `calls_names.sub`")
    message, help = said("calls_names:tinny")
    assert message.endswith("cannot be imported: calls_names.py has no function `tinny`")
    assert "did you mean `calls_names:tiny`?" == help
    assert said("calls_names:small")[0].endswith("calls_names.py has no function `small`")
    own("json.py", "def net(): return 1\n")
    assert "json/__init__.py has no function `net`" in said("json:net")[0]


def test_wrong_arguments_are_said_with_those_it_takes(own: Write) -> None:
    """Missing and unknown ones; nothing is called."""
    own("calls_bind.py", "def tiny(width, *, act='relu'): raise RuntimeError\n")
    message, help = said("calls_bind:tiny", num_classes=3)
    assert "`calls_bind:tiny` cannot be called: missing a required argument: 'width'" == message
    assert help is not None
    assert "`tiny` takes `width`, `act`" in help
    message, _ = said("calls_bind:tiny", "width=1", "wdith=2")
    assert message.endswith("got an unexpected keyword argument 'wdith'")


def test_an_interruption_is_none_of_theirs(own: Write) -> None:
    """Ctrl-C while their code is at work stays what it is."""
    own("calls_stop.py", "def f():\n    raise KeyboardInterrupt\n")
    with pytest.raises(KeyboardInterrupt):
        called("calls_stop:f", (), {})


def test_the_source_is_the_file_that_the_function_stands_in(own: Write) -> None:
    """As it was when it was loaded; of a function from elsewhere that place's."""
    named = own("calls_source.py", "from calls_home import f, K\ndef g(): pass\n")
    home = own("calls_home.py", "def f(): pass\nclass K: pass\n")
    digests = {p.name: hashlib.sha256(p.read_bytes()).hexdigest() for p in (named, home)}
    for function, path in (("f", home), ("K", home), ("g", named)):
        found = source_of(f"calls_source:{function}")
        assert (path.name, digests[path.name]) == (found.file, found.sha256)
    home.write_text("def f(): return 2\n")
    assert digests["calls_home.py"] == source_of("calls_source:f").sha256
    assert (None, None) == (source_of("sys:intern").file, source_of("sys:intern").sha256)


def test_a_module_loaded_anew_has_the_checksum_of_what_was_loaded(own: Write) -> None:
    """`importlib.reload`, as notebooks do, is noticed."""
    import importlib

    path = own("calls_again.py", "def f(): return 1\n")
    first = source_of("calls_again:f").sha256
    path.write_text("def f(): return 22\n")
    sys.path.insert(0, str(Path.cwd()))
    try:
        importlib.reload(sys.modules["calls_again"])
    finally:
        del sys.path[0]
    assert first != source_of("calls_again:f").sha256
    assert hashlib.sha256(path.read_bytes()).hexdigest() == source_of("calls_again:f").sha256
