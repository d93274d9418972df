"""`python -m tostdsl` is `tost`."""

from tostdsl.cli.start import script

if __name__ == "__main__":
    script()
