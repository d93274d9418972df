"""Networks of a user's own: what they get, and what they must give."""

from __future__ import annotations

import sys
import zlib

import pytest
import torch

from tests.conftest import Write
from tests.plans import plan_of
from tostdsl.diagnostics import TostError
from tostdsl.engine.start import network
from tostdsl.models.python import PythonModel
from tostdsl.plan.bases import DataFacts

FACTS = DataFacts(3, 8, 8, 5, 100, 10)
HEAD = "import torch\nfrom torch import nn\n"


def built(function: str, facts: DataFacts = FACTS, *kwargs: str) -> torch.nn.Module:
    return PythonModel(function=function, kwargs=kwargs).build(facts)


def refused(function: str, facts: DataFacts = FACTS) -> tuple[str, str]:
    """Code and message of what building it raises."""
    with pytest.raises(TostError) as caught:
        built(function, facts)
    (found,) = caught.value.diagnostics
    return found.code, found.message


def test_it_is_made_for_the_data(own: Write) -> None:
    """Classes, channels and size come from the data, the rest from the recipe."""
    own(
        "nets_a.py",
        f"{HEAD}seen = []\n"
        "def f(num_classes, in_channels, image_size, width=4):\n"
        "    seen.append((num_classes, in_channels, image_size, width))\n"
        "    h, w = image_size if isinstance(image_size, tuple) else (image_size,) * 2\n"
        "    return nn.Sequential(nn.Flatten(), nn.Linear(in_channels * h * w, num_classes))\n",
    )
    assert (5, 3 * 8 * 8) == built("nets_a:f", FACTS, "width=16")[1].weight.shape
    built("nets_a:f", DataFacts(1, 4, 6, 2, 1, 1))
    assert [(5, 3, 8, 16), (2, 1, (4, 6), 4)] == sys.modules["nets_a"].seen


def test_its_weights_are_the_seeds(own: Write) -> None:
    """Two of a seed are equal, the next seed's differ, and each is a network of its own."""
    own("nets_b.py", f"{HEAD}def f():\n    return nn.Sequential(nn.Flatten(), nn.Linear(64, 10))\n")
    text = 'model python("nets_b:f")\ndata digits\ntrain for 1 epoch\nseed {}\n'
    first, other = (plan_of(text.format(seed)) for seed in (1, 2))
    assert first is not None
    assert other is not None
    facts = first.data.facts()
    assert facts is not None
    weights = [network(plan, facts)[1].weight for plan in (first, first, other)]
    assert torch.equal(weights[0], weights[1])
    assert weights[0] is not weights[1]
    assert not torch.equal(weights[0], weights[2])


def test_trying_it_leaves_no_trace(own: Write) -> None:
    """Statistics, modes and the generator are those of the network as it was made."""
    own(
        "nets_c.py",
        f"{HEAD}def f(num_classes):\n"
        "    frozen = nn.BatchNorm2d(4).eval()\n"
        "    net = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), frozen, nn.Dropout(0.5),\n"
        "                        nn.Flatten(), nn.Linear(4 * 36, num_classes))\n"
        "    nn.init.ones_(net[0].bias)\n"
        "    return net\n",
    )
    torch.manual_seed(3)
    model = built("nets_c:f")
    after = torch.rand(())
    torch.manual_seed(3)
    plain = sys.modules["nets_c"].f(5)
    assert after == torch.rand(())
    ours, theirs = model.state_dict(), plain.state_dict()
    assert list(theirs) == list(ours)
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)
    assert [m.training for m in plain.modules()] == [m.training for m in model.modules()]


def test_what_is_lazy_gets_its_shape_from_the_data(own: Write) -> None:
    """By the seed, like every other weight."""
    own("nets_d.py", f"{HEAD}def f():\n    return nn.Sequential(nn.Flatten(), nn.LazyLinear(5))\n")
    torch.manual_seed(1)
    first = built("nets_d:f")[1].weight
    torch.manual_seed(1)
    assert torch.equal(first, built("nets_d:f")[1].weight)
    assert (5, 192) == first.shape


def test_a_network_that_is_given_twice_is_refused(own: Write) -> None:
    """Also one with a part of it: a run would train what it believes to be new."""
    own(
        "nets_e.py",
        f"{HEAD}whole = nn.Sequential(nn.Flatten(), nn.Linear(192, 5))\n"
        "part = nn.Sequential(nn.Flatten(), nn.Linear(192, 9))\n"
        "def same(): return whole\n"
        "def shared(): return nn.Sequential(part, nn.Linear(9, 5))\n",
    )
    for name in ("same", "shared"):
        built(f"nets_e:{name}")
        code, message = refused(f"nets_e:{name}")
        assert "R341" == code
        assert message.endswith("it has weights of a network that was given before")


@pytest.mark.parametrize(
    ("body", "code", "message"),
    [
        ("pass", "R341", "it gives nothing (`None`), not a `torch.nn.Module`"),
        ("return [1]", "R341", "it gives a `list`, not a `torch.nn.Module`"),
        ("return nn.Identity", "R341", "it gives the class `Identity`, not"),
        ("return net(7)", "R341", "its output is 2x7, not 2x5"),
        ("return nn.Sequential(net(5), nn.Unflatten(1, (5, 1)))", "R341", "its output is 2x5x1"),
        ("return nn.Flatten()", "R341", "for 2 images of 3x8x8 its output is 2x192, not 2x5"),
        ("return Two()", "R341", "its output is a `tuple`, not a tensor"),
        ("return Two(True)", "R341", "its output in training is a `tuple`, not a tensor"),
        ("return Whole()", "R341", "its output is of torch.int64, not of floats"),
        ("return net(5).requires_grad_(False)", "R341", "none of its parameters is to be trained"),
        (
            "return nn.Sequential(nn.Flatten(), nn.Linear(9, 5))",
            "R340",
            "takes no images of 2x3x8x8: RuntimeError: mat1 and mat2 shapes cannot be multiplied",
        ),
        ("return Fails()", "R340", "takes no images of 2x3x8x8 at NAME.py:14: ValueError: hm"),
        ("return net(5).double()", "R340", "takes no images of 2x3x8x8: RuntimeError: "),
    ],
)
def test_what_is_no_network_for_the_data_is_refused(
    own: Write, body: str, code: str, message: str
) -> None:
    """With what it gave, what is wanted, and the place in their code where there is one."""
    name = f"nets_wrong_{zlib.crc32(body.encode())}"
    own(
        f"{name}.py",
        f"{HEAD}def net(n):\n    return nn.Sequential(nn.Flatten(), nn.Linear(192, n))\n"
        "class Two(nn.Module):\n"
        "    def __init__(self, late=False):\n"
        "        super().__init__()\n"
        "        self.late, self.a = late, net(5)\n"
        "    def forward(self, x):\n"
        "        return self.a(x) if self.late and not self.training else (self.a(x), x)\n"
        "class Fails(nn.Module):\n"
        "    def forward(self, x):\n"
        "        raise (\n"
        "            ValueError('hm'))\n"
        "class Whole(nn.Module):\n"
        "    def forward(self, x):\n"
        "        return torch.zeros(len(x), 5, dtype=torch.int64)\n"
        f"def f():\n    {body}\n",
    )
    found = refused(f"{name}:f")
    assert code == found[0]
    assert message.replace("NAME.py:14", f"{name}.py:13").replace("NAME", name) in found[1]
