"""``python -m iucore.cli``."""

from iucore.cli import main

main(prog_name="iucore")
