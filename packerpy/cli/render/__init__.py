"""Renderers: each turns the same events into something to look at."""

from packerpy.cli.render.choose import Look, Renderer, choose

__all__ = ["Look", "Renderer", "choose"]
