"""Files of weights, read without running what may be in them."""

from .reading import read_state_dict, read_torch_file
from .trust import add_trust_option, is_trusted, trust_weights
from .zoo_pickle import read_zoo_pickle

__all__ = [
    "add_trust_option",
    "is_trusted",
    "read_state_dict",
    "read_torch_file",
    "read_zoo_pickle",
    "trust_weights",
]
