"""What tools/lazyconfig_train_net.py reads, under Detectron2's names and, below, RCF's."""

train = dict(
    output_dir="output/lazy",
    init_checkpoint="",
    max_iter=60000,
    amp=dict(enabled=False, precision="fp16"),
    ddp=dict(broadcast_buffers=False, find_unused_parameters=False, fp16_compression=False),
    checkpointer=dict(period=5000, max_to_keep=100),
    eval_period=0,
    log_period=20,
    device="cuda",
    seed=-1,
    # MODEL.RCF.LOAD_CLASS_HEAD: False to fine-tune on other categories
    load_class_head=True,
    # SOLVER.ACCUMULATE_STEPS
    accumulate_steps=1,
    # SOLVER.ACTIVATION_CHECKPOINTING: of "backbone", "encoder", "decoder"
    activation_checkpointing=[],
    # SOLVER.CHANNELS_LAST
    channels_last=False,
    # SOLVER.EMA
    ema=dict(enabled=False, decay=0.999, evaluate=True),
)
