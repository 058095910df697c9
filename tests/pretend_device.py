"""A device that need not be there: real numbers in tensors that say they lie on another one.

Copies to it and from it, and whatever else would make the host wait for it, are counted; tensors of
two devices in one operation are an error, as on a GPU.
"""

from collections.abc import Iterable
from unittest import mock

import torch
from torch import Tensor, nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves, tree_map

DEVICE = torch.device("meta")  # one that PyTorch does not look for

_aten = torch.ops.aten
_COPIES = (_aten._to_copy.default, _aten.copy_.default)
_WAITS = (
    _aten._local_scalar_dense.default,
    _aten.nonzero.default,
    _aten.masked_select.default,
    _aten.equal.default,
    _aten.is_nonzero.default,
)


class _There(Tensor):
    """A tensor of :data:`DEVICE`, with its numbers in ``here``."""

    @staticmethod
    def __new__(cls, here: Tensor):
        made = Tensor._make_wrapper_subclass(
            cls,
            here.shape,
            strides=here.stride(),
            storage_offset=here.storage_offset(),
            dtype=here.dtype,
            device=DEVICE,
        )
        made.here = here
        return made

    @classmethod
    def __torch_dispatch__(cls, func, types, args=(), kwargs=None):
        raise AssertionError(f"{func} outside of PretendDevice")


class PretendDevice(TorchDispatchMode):
    """Operations on pretended tensors, with the numbers of the CPU.

    Attributes:
        copies_in: of tensors of the host to the device; single numbers do not count.
        copies_out: of tensors of the device to the host.
        waits: names of other operations whose result the host needs.
    """

    def __init__(self) -> None:
        super().__init__()
        self.reset()

    def __enter__(self):
        # It fills the tensor on the device itself, unseen by any mode.
        self._patch = mock.patch.object(torch, "tensor", _tensor)
        self._patch.start()
        return super().__enter__()

    def __exit__(self, *raised) -> None:
        super().__exit__(*raised)
        self._patch.stop()

    def reset(self) -> None:
        self.copies_in, self.copies_out, self.waits = 0, 0, []

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        kwargs = dict(kwargs or {})
        given = [t for t in tree_leaves((args, kwargs)) if isinstance(t, Tensor)]
        there = [t for t in given if isinstance(t, _There)]
        of_host = [t for t in given if not isinstance(t, _There)]
        device = kwargs.get("device")
        if device is not None:
            kwargs["device"] = torch.device("cpu")
        to_there = torch.device(device) == DEVICE if device is not None else bool(there)
        if func in _COPIES:
            self.copies_in += to_there and any(t.dim() for t in of_host)
            self.copies_out += bool(there) and not to_there
        elif there and any(t.dim() for t in of_host):
            raise AssertionError(f"{func} of tensors of two devices")
        if func in _WAITS and there:
            self.waits.append(str(func))
        here_args, here_kwargs = tree_map(_here, (args, kwargs))
        result = func(*here_args, **here_kwargs)
        if func is _aten._to_copy.default and result is here_args[0]:
            result = result.clone()
        if not to_there:
            return result
        inputs = {id(t.here): t for t in there}  # what an operation in place gives is its input
        return tree_map(lambda x: inputs[id(x)] if id(x) in inputs else _there(x), result)

    @staticmethod
    def tensor(here: Tensor) -> Tensor:
        """A tensor of the host as one of the device."""
        return _There(here)

    def move(self, model: nn.Module) -> nn.Module:
        """All parameters and buffers of a model there (in place), for inference."""
        for module in model.modules():
            for name, tensor in _tensors_of(module):
                module._parameters.pop(name, None)
                module._buffers[name] = _There(tensor.detach())
        return model


def _tensors_of(module: nn.Module) -> Iterable[tuple[str, Tensor]]:
    own = (*module._parameters.items(), *module._buffers.items())
    return [(name, tensor) for name, tensor in own if tensor is not None]


def _tensor(data, *, device=None, _original=torch.tensor, **kwargs) -> Tensor:
    made = _original(data, **kwargs)
    return made if device is None else made.to(device)


def _here(x):
    return x.here if isinstance(x, _There) else x


def _there(x):
    return _There(x) if isinstance(x, Tensor) else x
