from detectron2.config import LazyCall as L

from rcf_vis.engine import FullModelClippingAdamW, parameter_groups

optimizer = L(FullModelClippingAdamW)(
    params=L(parameter_groups)(
        # params.model is set to the model before this is instantiated
        base_lr="${..lr}",
        weight_decay=1e-4,
        weight_decay_norm=0.0,
        weight_decay_embed=0.0,
        backbone_multiplier=0.1,
    ),
    lr=6e-4,
    max_norm=0.1,
)
