"""Rearguard guards the back gate of home routers and IoT devices: who may manage what, from where?"""

__all__ = ["__version__"]

__version__ = "0.1.0"
