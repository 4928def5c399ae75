"""A GAN in the plane to play with: ``playground()``."""

from ganedu.views.playground.view import Playground, playground, yours

__all__ = ["Playground", "playground", "yours"]
