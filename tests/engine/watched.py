"""Short runs to be watched, and what their certificate says."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.plans import plan_of
from tostdsl.plan.plan import Plan

HEAD = """model cifar_resnet(8)
data digits(batch=64)
schedule constant
train for 24 steps
seed 3
"""
SGD = "optimizer sgd(lr=0.1, momentum=0.9, weight_decay=1e-3)\n"
ADAM = "optimizer adam(weight_decay=1e-3)\n"
RANDOM = "mask random(sparsity=70%)\n"
STAGED = HEAD + SGD + RANDOM + "ghost(width=2x) until step 20\nlabels(smoothing=0.2 -> 0)\n"
LAYER = "layer1.0.conv1.weight"


def plan(text: str) -> Plan:
    found = plan_of(text)
    assert found is not None
    return found


def certificate(folder: Path) -> Any:
    return json.loads((folder / "certificate.json").read_text("utf-8"))
