"""What a run leaves in its folder: samples, losses, TensorBoard's events."""

from ganedu.cli.arguments import BadArgument


class Record:
    """A hook that writes the losses as CSV and the samples as PNG: the present ones, and one of each time."""

    def __init__(self, out, board, tell):
        self.out, self.board, self.tell = out, board, tell
        self.told = set()

    def __call__(self, trainer):
        from ganedu.checkpoints import atomic_write
        from ganedu.views.images import png_bytes

        try:
            shown = trainer.preview()
            if trainer.workers.rank == 0:
                pixels = sheet(shown)
                png = png_bytes(pixels)
                save_history(trainer.history, self.out / "history.csv")
                for path in (self.out / "samples.png", self.out / "grids" / f"{trainer.round:08d}.png"):
                    atomic_write(path, lambda file: file.write(png))
                if self.board is not None:
                    formats = "HW" if pixels.ndim == 2 else "HWC"
                    self.board.add_image("samples", pixels, trainer.round, dataformats=formats)
                    self.board.flush()
        except OSError as error:
            if self.tell is None:
                raise
            if error.errno not in self.told:
                self.told.add(error.errno)
                self.tell(
                    f"samples and losses of round {trainer.round} could not be written ({error.strerror or error})"
                )


def open_board(out, options):
    """TensorBoard's writer of events, into ``out``/tensorboard."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError as error:
        raise BadArgument(
            "--tensorboard wants the package tensorboard, which is not installed; `pip install tensorboard` brings it"
        ) from error
    return SummaryWriter(out / "tensorboard")


def save_history(history, path):
    """Write the trainer's history, a row per entry, with its names as the first line."""
    import csv
    import io

    from ganedu.checkpoints import atomic_write

    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(history)
    rows.writerows(zip(*history.values()))
    atomic_write(path, lambda file: file.write(text.getvalue().encode()))


def sheet(shown, columns=8):
    """What ``trainer.preview`` shows as one uint8 picture, (H, W) or (H, W, 3): samples, or several grids side by side."""
    from ganedu.views.images import side_by_side, tile

    if isinstance(shown, dict):
        return side_by_side(shown.values(), columns=max(1, columns // len(shown)))
    return tile(shown, columns)
