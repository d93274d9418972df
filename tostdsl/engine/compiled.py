"""The network compiled for training, anew wherever stages change what it is made of.

Only training passes are compiled. Evaluation, probes and traces use the plain module, and so do
state, masks and certificate: the compiled one shares its tensors and adds nothing to it.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn

from tostdsl.engine.surgery import Surgeon

Forward = Callable[[Tensor], Tensor]


class Compiler:
    """Compiles one network; `backend` is one of torch's or a function that acts as one.

    torch looks at a module's hooks when it compiles and never again, so that all it made of the
    network before is thrown away once a hook, a flag, or a module beside it has changed. Weights
    and other scalars of stages are tensors: they move without compiling anything.
    """

    def __init__(
        self,
        model: nn.Module,
        surgeon: Surgeon,
        say: Callable[[str], None] = lambda _text: None,
        backend: str | Callable[..., Any] = "inductor",
    ) -> None:
        self.model = model
        self.surgeon = surgeon
        self.say = say
        self.backend = backend
        self.times = 0
        """How often it was compiled."""
        self._made: Forward | None = None
        self._of: object = None

    def forward(self) -> Forward:
        """The compiled network as it is now made; call it at the beginning of a segment."""
        made_of = self.surgeon.parts, tuple(self.surgeon.beside)
        if self._made is None or self._of != made_of:
            self.close()
            self.times += 1
            self.say("compiles the network" + (" anew" if self.times > 1 else ""))
            self._made = torch.compile(self.model, backend=self.backend, dynamic=False)
            self._of = made_of
        return self._made

    def close(self) -> None:
        """Throw away what was compiled; torch keeps it by process."""
        if self._made is not None:
            torch._dynamo.reset()
        self._made = self._of = None
