"""The latent explorer: a generator from inside. ``explore(trainer)``."""

from ganedu.views.latent.explorer import LatentExplorer, explore
from ganedu.views.latent.plane import Plane, map_layout, still, walk
from ganedu.views.latent.space import LatentSpace, principal_components

__all__ = ["LatentExplorer", "LatentSpace", "Plane", "explore", "map_layout", "principal_components", "still", "walk"]
