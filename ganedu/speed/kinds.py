"""What a recorded round holds fast, and what therefore tells one recording from another."""


def settings_of(game):
    """The numbers, switches and functions that stand on ``game`` itself, as a key: another ``gp_weight`` is another round.

    ``round`` is left out, as it is another one each time: what depends on it has to be a tensor, or in ``game.variant()``.
    """
    settings = []
    for name, value in sorted(vars(game).items()):
        if name.startswith("_") or name in ("round", "training"):
            continue
        if isinstance(value, bool | int | float | str | None):
            settings.append((name, value))
        elif callable(value) or isinstance(value, tuple):  # an objective is a tuple of functions
            settings.append((name, id(value)))
    return tuple(settings)


def structure_of(game):
    """Which tensors the game computes with, and which of them learn, as a key: replaced or moved nets have another one."""
    parameters = tuple((id(p), p.data_ptr(), p.requires_grad) for p in game.parameters())
    buffers = tuple((id(b), b.data_ptr()) for b in game.buffers())
    return parameters, buffers, tuple(module.training for module in game.modules())
