"""Models and data sets by name, read from ganedu.models and ganedu.data: there is no table of them."""

from ganedu.arguments import one_of


def find_model(name):
    """The game that ``ganedu/models/NAME.py`` exports: the one class of that module which is a Game."""
    import importlib
    import inspect
    import pkgutil

    import ganedu.models
    from ganedu.gan import Game

    models = {}
    for found in pkgutil.iter_modules(ganedu.models.__path__):
        module = importlib.import_module(f"ganedu.models.{found.name}")
        games = [
            value
            for value in vars(module).values()
            if inspect.isclass(value) and issubclass(value, Game) and value.__module__ == module.__name__
        ]
        if len(games) == 1:  # a model that plays no game, such as naive Bayes, is not trained in rounds
            models[found.name] = games[0]
    return models[one_of("model", name, sorted(models))]


def find_data(name):
    """The function of ``ganedu.data`` that returns an image set: it takes a ``device``."""
    import inspect

    import ganedu.data

    functions = {
        key: value
        for key, value in vars(ganedu.data).items()
        if inspect.isfunction(value) and key[0] != "_" and "device" in inspect.signature(value).parameters
    }
    return functions[one_of("data", name, sorted(functions))]


def make_to_fit(make_game, data_shape):
    """The game with its default nets; with nets for images of ``data_shape`` where it has a say in that."""
    import inspect

    fits = "data_shape" in inspect.signature(make_game).parameters
    return make_game(data_shape=data_shape) if fits else make_game()
