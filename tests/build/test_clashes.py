"""Names of third parties that would get the same class, or that Python has for something else."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import create_model

import tostdsl as tost
from tostdsl import build, registry
from tostdsl.build import Stage, techniques
from tostdsl.build.calls import Call
from tostdsl.build.stubs import _stub
from tostdsl.plan.bases import Technique
from tostdsl.plan.spec import arg

NAMES: dict[str, Any] = {"techniques": techniques, "Stage": Stage}
Register = Callable[..., Any]


@pytest.fixture
def register(monkeypatch: pytest.MonkeyPatch) -> Register:
    """Registers a technique of somebody else's for a test, with arguments of whole numbers."""
    monkeypatch.setattr(registry, "_known", dict(registry._known))

    def known(name: str, *arguments: str) -> Any:
        fields: dict[str, Any] = {each: (int, arg(1, "a number")) for each in arguments}
        spec = create_model("Other", __base__=Technique, __module__="elsewhere", **fields)
        spec.__doc__ = "Somebody else's."
        return registry.register(name)(spec)

    return known


def test_a_built_in_class_keeps_its_name(register: Register) -> None:
    """Whatever is registered beside it, which is reached by the recipe's name."""
    register("ghost_", "width")
    assert "ghost" == techniques.Ghost.name
    ghost = techniques.Ghost(width=2)
    assert ghost == eval(repr(ghost), NAMES)
    theirs = Stage.named("ghost_")(width=2)
    assert "ghost_(width=2)" == str(theirs)
    assert theirs == eval(repr(theirs), NAMES) != ghost
    assert 1 == dir(techniques).count("Ghost")


@pytest.mark.parametrize("order", [1, -1])
def test_of_two_third_parties_none_gets_the_name(register: Register, order: int) -> None:
    """In whatever order they come; what to write in its place is said, and is what `repr` has."""
    names = ["deep_haze", "deepHaze"][::order]
    for name in names:
        register(name)
        assert ("DeepHaze" in dir(techniques)) == (name == names[0])
    with pytest.raises(AttributeError) as error:
        techniques.DeepHaze  # type: ignore[attr-defined]  # noqa: B018
    for name in names:
        assert f"`Stage.named({name!r})`" in str(error.value)
        made = Stage.named(name)()
        assert (name, name) == (str(made), str(eval(repr(made), NAMES)))


def test_no_name_is_that_of_something_behind_the_module(register: Register) -> None:
    """What a module of classes is written with is none of its classes."""
    register("call")
    assert "call" == techniques.Call.name  # type: ignore[attr-defined]
    for module in (name for name in build.__all__ if name.islower()):
        inside = vars(getattr(build, module))
        assert [] == [k for k, v in inside.items() if isinstance(v, type)], module


@pytest.mark.parametrize("name", ["self", "cls", "first", "lambda"])
def test_an_argument_of_any_name_can_be_given(register: Register, name: str) -> None:
    """By every way there is to make a call; its signature and its stub are Python's."""
    spec = register("haze", name)
    given: dict[str, Any] = {name: 2}
    made = Stage.named("haze")(**given)
    assert f"haze({name}=2)" == str(made)
    assert made == Call.of("technique", "haze", **given) == eval(repr(made), NAMES)
    assert made == Stage.named("haze")().replace(**given)
    signature = inspect.signature(type(made))
    assert (name if name != "lambda" else "arguments") in signature.parameters
    stub = ast.parse(_stub([spec], "package"))
    init = next(node for node in ast.walk(stub) if isinstance(node, ast.FunctionDef))
    words = [each.arg for each in (*init.args.args, *init.args.kwonlyargs)]
    compile(stub, "stub", "exec")
    assert (name in words) == (name != "lambda")
    with pytest.raises(tost.TostError, match="T301"):
        Stage.named("haze")(**{name: "much"})
