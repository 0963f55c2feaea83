"""The vendors on loopback, written from their documents: jobs that walk through their states and really learn."""

from cloudistill.emulators.world import World, emulate

__all__ = ["World", "emulate"]
