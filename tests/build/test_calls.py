"""Registered things made in Python mean what their texts mean."""

from __future__ import annotations

import copy
import inspect
import pickle
import re
import types
from collections.abc import Iterator
from dataclasses import FrozenInstanceError
from typing import Any

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.plans import calls
from tostdsl import build, registry
from tostdsl.build import anneals, augmentations, data, masks, models, schedules, techniques
from tostdsl.build.calls import Call
from tostdsl.build.classes import class_of, titles
from tostdsl.build.kinds import BASES
from tostdsl.compile.calls import build as built
from tostdsl.compile.compiler import compile_source
from tostdsl.compile.values import Reader
from tostdsl.diagnostics import TostError
from tostdsl.plan.bases import Technique
from tostdsl.plan.spec import CheckSite, Spec, arg
from tostdsl.source import Source
from tostdsl.syntax import nodes as n
from tostdsl.syntax.parser import parse
from tostdsl.units import Duration, Factor, Moment, Percent, Ramp

LAW = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
EVERYTHING = list(registry.everything())
MODULES = {
    name: __import__(f"tostdsl.build.{name}", fromlist=["x"])
    for name in build.__all__
    if name.islower()
}
ARGUMENT = re.compile(r"(?<![\w\"])[a-z]\w*(?==)")
KIND = st.sampled_from(list(registry.KINDS))


def compiled(kind: str, text: str) -> Spec | None:
    """What the compiler makes of a call, without this package."""
    node = parse(Source("r.tost", text))[0].statements[0]
    assert isinstance(node, n.Stage)
    made = built(Reader({}, []), node.call, kind)
    return None if made is None else made.spec


def inside(spec: Spec) -> Iterator[Spec]:
    """A spec and those in it."""
    yield spec
    for value in spec.arguments().values():
        for part in value if isinstance(value, tuple) else (value,):
            if isinstance(part, Spec):
                yield from inside(part)


def codes(error: pytest.ExceptionInfo[TostError]) -> list[str]:
    return [each.code for each in error.value.diagnostics]


@LAW
@given(KIND.flatmap(lambda kind: st.tuples(st.just(kind), calls(kind))))
def test_arguments_by_python_are_those_by_text(made: tuple[str, str]) -> None:
    """The class, given the typed values of a text, means the same; so do its own text and repr."""
    kind, text = made
    spec = compiled(kind, text)
    assume(spec is not None)
    assert spec is not None
    checks = [problem for each in inside(spec) for problem in each.check(CheckSite())]
    assume(all(problem.code.startswith("W") for problem in checks))
    by_text = Call.read(text, kind)  # type: ignore[arg-type]
    by_values = class_of(type(spec))(**by_text.given)
    for call in (by_text, by_values):
        assert spec == call.spec == compiled(kind, str(call))
    assert by_text == by_values
    assert sorted(ARGUMENT.findall(text)) == sorted(ARGUMENT.findall(f"{by_text!r}"))
    assert hash(by_text) == hash(by_values)
    again = eval(repr(by_text), dict(MODULES))
    assert (by_text, spec) == (again, again.spec)
    assert by_text == pickle.loads(pickle.dumps(by_text)) == copy.deepcopy(by_text)


@pytest.mark.parametrize("spec", EVERYTHING, ids=lambda cls: f"{cls.kind}-{cls.name}")
def test_everything_registered_has_a_class(spec: type[Spec]) -> None:
    """It is found by its name in its module, and takes the registration's arguments."""
    (name,) = (title for title, known in titles(spec.kind).items() if known == spec.name)
    module = next(m for m in MODULES.values() if m.__name__ == class_of(spec).__module__)
    made: Any = getattr(module, name)
    assert name in dir(module)
    assert issubclass(made, Call)
    assert (spec.kind, spec.name, spec) == (made.kind, made.name, made.registered)
    parameters = inspect.signature(made).parameters
    assert set(spec.model_fields) == set(parameters)
    for field, info in spec.model_fields.items():
        missing = parameters[field].default is inspect.Parameter.empty
        assert info.is_required() == missing
        assert missing or info.default == parameters[field].default
        assert (info.description or "") in made.__doc__


def test_no_two_names_have_one_class() -> None:
    """`regnet_x_1_6gf` and `regnet_x_16gf` are two."""
    for kind in registry.KINDS:
        assert len(registry.names(kind)) == len(titles(kind))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("call", "text"),
    [
        (techniques.Ghost(width=2), "ghost(width=2x)"),
        (techniques.Ghost(width=1.5, keep=False), "ghost(width=1.5x, keep=no)"),
        (techniques.Ghost(beta=2, activation="swish"), "ghost(activation=swish, beta=2)"),
        (
            techniques.Ghost(activation="swish", beta=Ramp(1, 20)),
            "ghost(activation=swish, beta=1 -> 20)",
        ),
        (techniques.Skip(anneal=anneals.Step(["50%"])), "skip(anneal=step([50%]))"),
        (techniques.Init(clip=None), "init"),
        (models.CifarResnet(8), "cifar_resnet(8)"),
        (
            models.Python("a.b:c", kwargs=['x="1"']),
            'python("a.b:c", kwargs=["x=\\"1\\""])',
        ),
        (
            data.Cifar10(augment=["flip"], batch=64.0, validation="10%"),
            "cifar10(batch=64, augment=[flip], validation=10%)",
        ),
        (schedules.Multistep(at=["epoch 9"], factor=1e-05), "multistep([epoch 9], factor=1e-5)"),
        (
            masks.Lottery(sparsity="90%", rewind="epoch 2").without("first"),
            "lottery(sparsity=90%, rewind=epoch 2) except first",
        ),
        (techniques.Skip().until("epoch 4").until("25%"), "skip until 25%"),
        (techniques.Skip().since("10%").lasting("5 epochs"), "skip from 10% for 5 epochs"),
        (techniques.Skip().until("25%").lasting(Duration("steps", 9)), "skip for 9 steps"),
        (techniques.Skip().between("10%", "end"), "skip from 10% until end"),
        (techniques.Skip().until("25%").always(), "skip"),
        (techniques.Init().at("start"), "init at start"),
        (
            data.Cifar10(augment=[augmentations.Crop(padding=4), augmentations.Flip()]),
            "cifar10(augment=[crop(padding=4), flip])",
        ),
        (
            masks.Shuffle(of=masks.Random(sparsity="90%", distribution="uniform")),
            "shuffle(random(sparsity=90%, distribution=uniform))",
        ),
        (
            techniques.Skip().on("conv", 'a"*').without("fir*").until("25%"),
            'skip until 25% on conv, "a\\"*" except "fir*"',
        ),
    ],
    ids=str,
)
def test_values_of_python_are_written_as_a_recipe_has_them(call: Call, text: str) -> None:
    """And Python that `repr` writes gives them back."""
    assert text == str(call)
    assert call == eval(repr(call), dict(MODULES))


WRONG: list[tuple[Any, str]] = [
    (lambda: techniques.Ghost(widht=2), "T203"),
    (lambda: techniques.Ghost(activation="swsh"), "T304"),
    (lambda: techniques.Ghost(), "T504"),
    (lambda: techniques.Ghost(width="2"), "T305"),
    (lambda: techniques.Skip(anneal=None), "T201"),
    (lambda: techniques.Skip(anneal=schedules.Constant()), "T201"),
    (lambda: techniques.Skip().until(40), "T305"),
    (lambda: techniques.Skip().until("epoch 4 on conv"), "T101"),
    (lambda: techniques.Skip().until("epoch 1.5"), "T303"),
    (lambda: masks.Random(sparsity=0.9), "W001"),
    (lambda: masks.Random(sparsity=90), "T302"),
    (lambda: masks.Random(), "T209"),
    (lambda: masks.Random(sparsity="90%, distribution=erk"), "T101"),
    (lambda: masks.Random(sparsity="90%\nskip"), "T120"),
    (lambda: masks.Random(sparsity="$s"), "T204"),
    (lambda: masks.Random(sparsity=float("nan")), "T301"),
    (lambda: masks.Random(sparsity="90%").replace(sparsity="190%"), "T303"),
    (lambda: masks.File("a\nb"), "T104"),
    (lambda: masks.Shuffle(of=masks.Shuffle(of="dynamic(sparsity=90%)")), "T504"),
    (lambda: models.Resnet18(8), "T211"),
    (lambda: models.Resnet18.read("resnet18 until 5%"), "T409"),
    (lambda: models.Resnet18.read("resnet18 on conv"), "T410"),
    (lambda: models.Resnet18.read("resnet18\nresnet18"), "T101"),
    (lambda: Call.of("model", "resnet81"), "T201"),
]


@pytest.mark.parametrize(("make", "code"), WRONG, ids=[code for _, code in WRONG])
def test_mistakes_are_the_compilers(make: Any, code: str) -> None:
    """A wrong argument is refused where it is made, with the compiler's code."""
    with pytest.raises(TostError) as error:
        make()
    assert code in codes(error)


def test_an_error_reads_as_on_the_command_line() -> None:
    """The place is underlined and the help told; the diagnostics are there as values."""
    with pytest.raises(TostError) as error:
        techniques.Ghost(activatoin="swish")
    (diagnostic,) = error.value.diagnostics
    assert "did you mean `activation`?" in (diagnostic.help or "")
    expected = (
        "error[T203]: `ghost` has no argument `activatoin`\n"
        " --> <python>:1:7\n"
        "  |\n"
        "1 | ghost(activatoin=swish)\n"
        "  |       ^^^^^^^^^^\n"
    )
    assert str(error.value).startswith(expected)
    assert "[T203] `ghost` has no argument `activatoin`" == error.value.brief


def test_what_a_text_is_told_python_is_told() -> None:
    """The same code, message and help as for the recipe's line."""
    head = "model resnet20\ndata cifar10\ntrain for 9 epochs\n"
    for text, make in (
        ("ghost(widht=2)", lambda: techniques.Ghost(widht=2)),
        ("skip(alpha=90%)", lambda: techniques.Skip(alpha="90%")),
        ("labels(smoothing=[1, 0])", lambda: techniques.Labels(smoothing=[1, 0])),
    ):
        said = compile_source(Source("r.tost", head + text)).errors
        with pytest.raises(TostError) as error:
            make()
        wanted = [(each.code, each.message, each.help) for each in said]
        assert wanted == [(d.code, d.message, d.help) for d in error.value.diagnostics]


def test_calls_are_values() -> None:
    """They cannot be changed, and are equal when a recipe would write them alike."""
    one = techniques.Ghost(width=2)
    with pytest.raises(FrozenInstanceError):
        one.width = 3  # type: ignore[attr-defined]
    assert (
        one
        == techniques.Ghost(width="2x")
        == techniques.Ghost(width=Factor.from_json({"factor": 2}))
    )
    assert one != one.until("epoch 4")
    assert one != techniques.Ghost(width=2, keep=False)
    assert anneals.Cosine() != schedules.Cosine()
    assert {"width": Factor.from_json({"factor": 3})} == one.replace(width=3).given
    placed = one.until("epoch 4").on("conv")
    assert "ghost(width=3x) until epoch 4 on conv" == str(placed.replace(width=3))
    assert "ghost(width=2x)" == str(one)


def test_arguments_are_attributes() -> None:
    """Given or by default, as typed values and calls; read only; and completed."""
    mask = masks.Random(sparsity="90%").without("first")
    assert (Percent.from_json({"percent": 90}), "uniform") == (mask.sparsity, mask.distribution)
    assert {"sparsity", "distribution", "until"} < set(dir(mask))
    with pytest.raises(FrozenInstanceError):
        mask.sparsity = "95%"  # type: ignore[assignment, misc]
    with pytest.raises(AttributeError, match=r"'Random' .* 'sparsty'; its arguments: sparsity"):
        mask.sparsty  # type: ignore[attr-defined]  # noqa: B018
    assert anneals.Exponential() == techniques.Ghost(width=2).anneal
    crop, flip = data.Cifar10(augment=["crop(padding=2)", "flip"]).augment
    assert (2, augmentations.Flip()) == (crop.padding, flip)  # type: ignore[attr-defined]
    inner = masks.Random(sparsity="90%")
    shuffle = masks.Shuffle(of=inner)
    assert (inner, inner.spec, True) == (shuffle.given["of"], shuffle.spec.of, callable(shuffle.of))  # type: ignore[attr-defined]


@pytest.mark.parametrize("spec", EVERYTHING, ids=lambda cls: f"{cls.kind}-{cls.name}")
def test_only_a_known_argument_has_the_name_of_a_method(spec: type[Spec]) -> None:
    """Any other is an attribute of its calls."""
    hidden = [name for name in spec.model_fields if hasattr(BASES[spec.kind], name)]
    assert ([] if spec.name != "shuffle" else ["of"]) == hidden


def test_a_third_partys_class_is_there_as_well(monkeypatch: pytest.MonkeyPatch) -> None:
    """With its own documentation, arguments and checks, in the module of its kind."""
    monkeypatch.setattr(registry, "_known", dict(registry._known))

    class Haze(Technique):
        """Blurs what the network sees."""

        strength: Percent = arg(doc="how much")
        since: Moment = arg(Moment("start"), "from when on")

    Haze.__module__ = "elsewhere"
    registry.register("deep_haze")(Haze)
    assert "DeepHaze" in dir(techniques)
    made = techniques.DeepHaze(strength="30%").until("epoch 4")  # type: ignore[attr-defined]
    assert "deep_haze(strength=30%) until epoch 4" == str(made)
    assert made == Call.of("technique", "deep_haze", strength="30%").until("epoch 4")  # type: ignore[attr-defined]
    assert type(made).__doc__.startswith("Blurs what the network sees.")
    with pytest.raises(TostError, match="T209"):
        techniques.DeepHaze()  # type: ignore[attr-defined]


def test_an_unknown_class_is_an_attribute_error() -> None:
    """As of any module; and what is no value is no argument."""
    with pytest.raises(AttributeError, match="Resnet81"):
        models.Resnet81  # type: ignore[attr-defined]  # noqa: B018
    assert not hasattr(models, "__path__")
    with pytest.raises(TypeError, match="no value for"):
        techniques.Ghost(width=types.SimpleNamespace())  # type: ignore[arg-type]
