"""Loading the mask specs."""

from __future__ import annotations

import subprocess
import sys


def test_no_torch_until_chosen() -> None:
    """Importing, checking and laying out masks loads no torch."""
    code = (
        "import sys; from decimal import Decimal; from tostdsl.units import Percent\n"
        "from tostdsl.plan.spec import CheckSite; import tostdsl.masks as m\n"
        "import tostdsl.masks.random, tostdsl.masks.magnitude, tostdsl.masks.lottery\n"
        "import tostdsl.masks.file\n"
        "ninety = Percent(Decimal(90))\n"
        "for cls in (m.random.Random, m.magnitude.Magnitude, m.lottery.Lottery):\n"
        "    method = cls(sparsity=ninety); assert not list(method.check(CheckSite()))\n"
        "    print(cls.name, len(method.rounds()))\n"
        "assert [] == list(m.file.File(path='m.pth', sha256=64 * '0').check(CheckSite()))\n"
        "assert 'torch' not in sys.modules"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (0, "random 0\nmagnitude 0\nlottery 11\n", "") == (
        done.returncode,
        done.stdout,
        done.stderr,
    )
