# Written by `python -m tostdsl.build.stubs tost_gradient_noise`, from what is registered.
"""What this package registers, as classes for recipes in Python."""

from tostdsl.build import Stage

GradientNoise = Stage.named("gradient_noise")
