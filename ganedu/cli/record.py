"""What a run leaves in its folder: samples, losses, TensorBoard's events."""

from ganedu.cli.arguments import BadArgument


class Record:
    """A hook that writes the losses as CSV and the samples as PNG: the present ones, and one of each time."""

    def __init__(self, out, board, tell):
        self.out, self.board, self.tell = out, board, tell
        self.told = set()

    def __call__(self, trainer):
        try:
            images = trainer.sample(64, trainer.fixed_z)
            if trainer.workers.rank == 0:
                save_history(trainer.history, self.out / "history.csv")
                save_grid(images, self.out / "samples.png")
                save_grid(images, self.out / "grids" / f"{trainer.round:08d}.png")
                if self.board is not None:
                    self.board.add_image("samples", (grid(images) / 255.0), trainer.round, dataformats="HWC")
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

    from ganedu.checkpoints import write_whole

    text = io.StringIO(newline="")
    rows = csv.writer(text)
    rows.writerow(history)
    rows.writerows(zip(*history.values()))
    write_whole(path, lambda file: file.write(text.getvalue().encode()))


def grid(images, columns=8, gap=2):
    """(N, C, H, W) images in [-1, 1] side by side, ``columns`` a row, as one (height, width, C) uint8 array."""
    import numpy as np

    pixels = ((images.clamp(-1, 1) + 1) * 127.5).round().byte().permute(0, 2, 3, 1).cpu().numpy()
    n, height, width, channels = pixels.shape
    rows = -(-n // columns)
    shape = (rows * (height + gap) - gap, columns * (width + gap) - gap, channels)
    sheet = np.full(shape, 255, dtype=np.uint8)
    for index, image in enumerate(pixels):
        top, left = index // columns * (height + gap), index % columns * (width + gap)
        sheet[top : top + height, left : left + width] = image
    return sheet


def save_grid(images, path, columns=8, gap=2):
    """Write (N, C, H, W) images in [-1, 1] as one PNG, ``columns`` a row; C is 1 (grey) or 3 (colour)."""
    from PIL import Image

    from ganedu.checkpoints import write_whole

    sheet = grid(images, columns, gap)
    picture = Image.fromarray(sheet[..., 0] if sheet.shape[2] == 1 else sheet)
    write_whole(path, lambda file: picture.save(file, format="PNG", optimize=True))
