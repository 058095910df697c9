"""Shifted windows at input sizes that the windows do not divide."""

from __future__ import annotations

from timm.models.swin_transformer import SwinTransformerBlock
from timm.models.swin_transformer_v2 import SwinTransformerV2Block
from torch import Tensor, nn
from torch.nn import functional as F

__all__ = ["pad_before_shift"]


class _PadFirst:
    """Pads the feature map to whole windows before it is shifted, as the original Swin does.

    timm shifts first and pads then. The rows that the shift carries from the top to the bottom no
    longer lie where the attention mask expects them, and the top of the image attends to its bottom
    (and left to right) wherever the windows do not divide the map: its issue 2438.
    """

    def _attn(self, x: Tensor) -> Tensor:
        height, width = x.shape[1:3]
        rows, columns = self.window_size
        padded = F.pad(x, (0, 0, 0, -width % columns, 0, -height % rows))
        return super()._attn(padded)[:, :height, :width]


class _PadFirstBlock(_PadFirst, SwinTransformerBlock):
    pass


class _PadFirstV2Block(_PadFirst, SwinTransformerV2Block):
    pass


_PAD_FIRST = {SwinTransformerBlock: _PadFirstBlock, SwinTransformerV2Block: _PadFirstV2Block}


def pad_before_shift(model: nn.Module) -> None:
    """Let the Swin blocks of a timm ``model``, if it has any, pad before they shift (in place).

    Parameters and their names stay, and so do the results where the windows divide the map.
    """
    for module in model.modules():
        if type(module) in _PAD_FIRST:
            module.__class__ = _PAD_FIRST[type(module)]
