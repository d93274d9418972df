"""Learned scales in a network with parameters that no layer has: they count, without scales."""

from __future__ import annotations

from typing import Any

import pytest
import torch
from torch import Tensor, nn

from tests.nets import FACTS
from tests.techniques.gradinit_reference import learned, reference
from tostdsl.techniques.init import Init


class Transformer(nn.Module):
    """A class token, a table of places that is not trained, an attention, a layer scale."""

    def __init__(self) -> None:
        super().__init__()
        self.token = nn.Parameter(torch.randn(1, 1, 6))
        self.table = nn.Parameter(torch.randn(1, 5, 6), requires_grad=False)
        self.embed = nn.Linear(48, 6)
        self.attend = nn.MultiheadAttention(6, 1, batch_first=True)
        self.layer_scale = nn.Parameter(torch.full((6,), 0.5))
        self.head = nn.Linear(6, FACTS.classes)

    def forward(self, x: Tensor) -> Tensor:
        x = self.embed(x.reshape(len(x), 4, 48))
        x = torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.table
        x = x + self.layer_scale * self.attend(x, x, x, need_weights=False)[0]
        return self.head(x[:, 0])  # type: ignore[no-any-return]


def transformer() -> Any:
    torch.manual_seed(9)
    model = Transformer().double()
    for name, parameter in model.named_parameters():
        if name.endswith("bias"):
            nn.init.normal_(parameter)
    return model


def scores(p: dict[str, Tensor], images: Tensor) -> Tensor:
    """What it computes, matrix by matrix."""
    x = images.reshape(len(images), 4, 48) @ p["embed.weight"].T + p["embed.bias"]
    x = torch.cat([p["token"].repeat(len(x), 1, 1), x], 1) + transformer().table
    q, k, v = (x @ p["attend.in_proj_weight"].T + p["attend.in_proj_bias"]).split(6, -1)
    attention = torch.softmax(q @ k.mT / 6**0.5, -1)
    given = attention @ v @ p["attend.out_proj.weight"].T + p["attend.out_proj.bias"]
    x = x + p["layer_scale"] * given
    return x[:, 0] @ p["head.weight"].T + p["head.bias"]


PLAIN = ("token", "layer_scale", "attend.in_proj_weight", "attend.in_proj_bias")


@pytest.mark.parametrize(
    "law",
    [
        Init(rescale="learned", iterations=10, lr=0.05, gamma=0.8),
        Init(rescale="learned", iterations=6, lr=0.05, gamma=0.1),
        Init(rescale="learned", iterations=6, lr=0.05, gamma=1e9, eta=0.5),
        Init(rescale="learned", iterations=6, lr=0.05, gamma=1e9, eta=0.05, normalise=False),
    ],
    ids=["both aims", "constraint", "objective", "plain step"],
)
def test_all_trained_parameters_are_in_the_norm_and_the_step(law: Init) -> None:
    """Scales of layers agree with the independent loop, in which all parameters count.

    With any of the others left out, of the norm or of the step, they do not.
    """
    expected = reference({}, law, transformer(), scores, PLAIN)
    model = transformer()
    before = {name: p.detach().clone() for name, p in model.named_parameters()}
    found, theatre = learned(model, {}, law)
    assert before.keys() == found.keys()
    layers = [name for name in found if name not in (*PLAIN, "table")]
    assert {n: expected[n] for n in layers} == pytest.approx(
        {n: found[n] for n in layers}, abs=1e-10
    )
    for name in (*PLAIN, "table"):
        assert torch.equal(before[name], model.get_parameter(name).detach())
    assert f"learned {len(layers)} scales" in theatre.lines[0]
    if law.gamma == 0.8:
        assert "; 3 of 10 steps" in theatre.lines[0]
