"""What Python and PyTorch raise, in plain words."""

import contextlib
import re

from ganedu.checks.answers import CheckFailed


@contextlib.contextmanager
def explain_graph_errors(*, again, changed):
    """Turn PyTorch's errors about a used-up graph, raised in the ``with`` block, into CheckFailed.

    PyTorch's own words advise ``retain_graph=True``, which hides the mistake.

    Args:
        again: the sentence where a graph is run backward a second time.
        changed: the sentence where a graph is run backward after a step has changed a parameter in it.
    """
    try:
        yield
    except RuntimeError as error:
        for words, sentence in (("backward through the graph a second time", again), ("inplace operation", changed)):
            if words in str(error):
                raise CheckFailed(sentence) from None
        raise


SHAPES = "two shapes do not fit. Write down the shape of each tensor on that line, for a batch of another size too."
PLAIN = (  # (pattern in the error's words, what it means); the first one that is found is said
    (r"backward through the graph a second time", "one graph is used for two backward passes, and the first frees it. "
     "Compute what both need a second time, or detach it where it must not learn."),
    (r"modified by an inplace operation", "something that the backward pass still needs was changed in place before it "
     "ran: a step of an optimiser, or an operation such as += on a tensor. Change it afterwards, or make a new tensor."),
    (r"leaf Variable that requires grad.*in-place|view of a leaf Variable that requires grad",
     "a tensor that autograd watches cannot be changed in place. Work under torch.no_grad(), or make a new tensor."),
    (r"does not require grad and does not have a grad_fn|does not require grad",
     "no way leads back from the loss to what should learn: somewhere it is detached, turned into a number, or computed "
     "under torch.no_grad()."),
    (r"appears to not have been used in the graph", "a tensor whose gradient is asked for has no part in the loss."),
    (r"implicitly created only for scalar outputs", "the loss is not one number. Average it over the batch."),
    (r"Can't call numpy\(\) on Tensor that requires grad", "NumPy cannot take a tensor that autograd watches. Stay within "
     "torch where a gradient is needed, and detach() where none is."),
    (r"mat1 and mat2 shapes cannot be multiplied \((\d+)x(\d+) and (\d+)x(\d+)\)",
     r"a linear layer wants \3 numbers a sample and gets \2."),
    (r"to have (\d+) channels, but got (\d+) channels", r"a convolution wants \1 channels and gets \2."),
    (r"Expected more than 1 value per channel", "batch norm in train mode cannot take a batch of one."),
    (r"[Ss]izes? of tensors? .*must match|must match the size|shape mismatch|[Ii]nvalid for input of size|is invalid for "
     r"input|could not be broadcast|size mismatch|same number of dimensions|inconsistent tensor size", SHAPES),
    (r"same dtype|expected scalar type|must have the same dtype|Found dtype", "numbers of two kinds meet (32 bits and 64, "
     "or whole numbers and floats). Convert where they meet, with .to(other.dtype)."),
    (r"ambiguous", "a whole tensor stands where one truth value is wanted, in an if, and, or or not."),
    (r"'NoneType' object", "something is None that should have a value: a function that returns nothing, or a gradient "
     "that is not there yet."),
    (r"required positional argument|takes \d+ positional argument|unexpected keyword argument",
     "it is called with other arguments than it takes: leave the head of the function as it was given."),
    (r"name '(\w+)' is not defined|free variable '(\w+)'|local variable '(\w+)'", "it uses a name that has no value "
     "there. Run the cells above, and take everything else from the arguments."),
)  # fmt: skip


@contextlib.contextmanager
def plain_errors(task, *, hints=()):
    """Turn whatever a student's code raises in the ``with`` block into CheckFailed, one sentence that names the task.

    ``CheckFailed`` and the ``NotImplementedError`` of a task that is not done pass as they are.

    Args:
        task: what the message calls it, such as "d_loss".
        hints: pairs (words of the error's message or the name of its kind, sentence) that know this task better than the
            general words do; they are tried first, in order.
    """
    try:
        yield
    except (CheckFailed, NotImplementedError):
        raise
    except Exception as error:  # whatever it is, a student gets a sentence
        raise CheckFailed(f"{task}: {in_plain_words(error, hints)}") from None


def in_plain_words(error, hints=()):
    """The sentence for an error, with the first line of its own words behind it."""
    kind = type(error).__name__
    first_line = next(iter(str(error).strip().splitlines()), "")
    own_words = f"{kind}: {first_line[:200]}" if first_line else kind
    for words, sentence in hints:
        if words in str(error) or words == kind:
            return f"{sentence} ({own_words})"
    for pattern, sentence in PLAIN:
        found = re.search(pattern, str(error))
        if found:
            return f"{found.expand(sentence)} ({own_words})"
    return f"it ends in an error. ({own_words})"
