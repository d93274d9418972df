"""The reference outputs of a run: what its network computes on images that a seed gives again.

A run stores them when it ends, from the very network it trained; `tost verify` computes them from
the files. They need no data set and no accelerator: evaluation mode, float32, one CPU thread.
"""

from __future__ import annotations

import hashlib
import platform
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

import torch
from torch import Tensor, nn

from tostdsl.engine.seeds import generator

FILE = "outputs.safetensors"
KEY = "outputs"
IMAGES = 8
"""How many images: enough to tell networks apart, few enough for a large one on a laptop."""
BOUND = 1e-4
"""Largest difference between machines or versions that sum in another order, as a share of the
largest output."""


def images(shape: tuple[int, int, int], seed: int) -> Tensor:
    """The images (float32, 8 x C x H x W): uniform, mean 0, variance 1, drawn by the run's seed.

    Uniform, since PyTorch's normal numbers differ between processors in their last bits.
    """
    drawn = torch.rand((IMAGES, *shape), generator=generator(seed, "reference"))
    return (drawn - 0.5) * 12**0.5


def outputs(model: nn.Module, shape: tuple[int, int, int], seed: int) -> Tensor:
    """What a network computes on them (float32, 8 x classes), moved to the CPU for it.

    The network stays there, as float32, laid out channel by channel and in evaluation mode.
    """
    model.to("cpu", torch.float32).eval()
    with torch.no_grad(), _one_thread():
        for parameter in model.parameters():
            # a copy: one of 1 x 1 is contiguous either way, but its strides choose the kernel
            parameter.data = parameter.data.clone(memory_format=torch.contiguous_format)
        found: Tensor = model(images(shape, seed)).float().contiguous()
    return found


@contextmanager
def _one_thread() -> Iterator[None]:
    """Sums in one order, whatever the machine's number of cores."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def machine(shape: tuple[int, int, int], seed: int) -> dict[str, str]:
    """What decides the bits of the outputs: PyTorch, the processor, and the images themselves."""
    drawn = images(shape, seed).numpy().tobytes()
    return {
        "torch": torch.__version__,
        "machine": platform.machine(),
        "processor": _processor(),
        "instructions": torch.backends.cpu.get_cpu_capability(),
        "images": hashlib.sha256(drawn).hexdigest(),
    }


def _processor() -> str:
    with suppress(OSError), open("/proc/cpuinfo", encoding="utf-8", errors="replace") as file:
        for line in file:
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor()


def agree(
    stored: Tensor, now: Tensor, there: Mapping[str, str], here: Mapping[str, str]
) -> tuple[bool, str]:
    """Whether outputs agree, and in words how they were compared.

    To the bit where PyTorch and processor are those of the run; else within `BOUND` of the
    largest output.
    """
    if stored.shape != now.shape or stored.dtype != torch.float32:
        return False, f"{tuple(stored.shape)} {stored.dtype} stored, {tuple(now.shape)} computed"
    same_bits = torch.equal(stored.view(torch.int32), now.view(torch.int32))
    if same_bits:
        return True, f"equal to the bit on {len(now)} images"
    other = [name for name in here if there.get(name) != here[name]]
    if "images" in other:
        return False, "this PyTorch draws other images from the seed, so they cannot be compared"
    gap = float((stored - now).abs().max())
    if not other:
        where = "with the same PyTorch and processor they must be equal to the bit"
        return False, f"largest difference {gap:.2e}; {where}"
    bound = BOUND * max(1.0, float(now.abs().max()))
    why = f"not to the bit, since other than in the run: {', '.join(other)}"
    return gap <= bound, f"largest difference {gap:.2e}, bound {bound:.2e} ({why})"
