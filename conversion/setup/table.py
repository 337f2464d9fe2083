"""What `samesight setup` installs: one table. A row stands in a module of its own."""

from samesight.conversion.setup.arm64 import ARM64
from samesight.conversion.setup.classic import CLASSIC
from samesight.conversion.setup.gpu import GPU
from samesight.conversion.setup.interface import Setup
from samesight.conversion.setup.snapdragon import SNAPDRAGON
from samesight.conversion.setup.swift import SWIFT

SETUPS: dict[str, Setup] = {setup.name: setup for setup in (SWIFT, ARM64, GPU, SNAPDRAGON, CLASSIC)}
