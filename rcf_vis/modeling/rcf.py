"""The meta-architecture ``RCF``: training, the online step, and videos."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

import torch
from detectron2.config import CfgNode, configurable
from detectron2.modeling import META_ARCH_REGISTRY, Backbone, build_backbone
from detectron2.structures import Instances
from torch import Tensor, nn

from rcf_vis.tracking import IdentityRules, IdentityState

from .audio import AudioContext
from .carried_code import CarriedCode, CodeCarrier
from .context_fusion import RobustContextFusion
from .criterion import SetCriterion
from .decisions import decide_frames
from .feature_map import FeatureMap, FrameFeatures, SizeConstants, check_levels, padded_batch
from .instance_decoder import InstanceDecoder
from .instance_heads import InstanceHeads
from .mask_decoder import MaskDecoder
from .online import FrameOutput, OnlineState, StepOutput
from .targets import SlotPredictions, batch_targets

__all__ = ["RCF"]


@META_ARCH_REGISTRY.register()
class RCF(nn.Module):
    """Online video instance segmentation by Robust Context Fusion.

    Everything goes through :meth:`step`, which takes the features of one frame and the state of
    its video and gives the predictions and the next state. The module itself remembers nothing.

    Args:
        backbone: gives ``in_features``; shared by target and references.
        context_fusion, instance_decoder, mask_decoder, heads: the network (section III-B).
        criterion: the loss (eq. 4).
        in_features: levels of the backbone that are used.
        context_feature: the one of them that becomes tokens.
        size_divisibility: images are padded to multiples of it.
        pixel_mean, pixel_std: of the input channels, in the order of ``input_format``.
        deep_supervision: supervise every layer of the instance decoder.
        identity_rules: how slots get identities (section III-B4).
        score_thresh: a slot fires when its best class probability reaches it.
        mask_thresh: a pixel belongs to a mask when its probability exceeds it.
        audio: the audio branch (section III-C); None: a model without audio.
        carrier: hands the instance code on [ours]; None: as the paper.

    Attributes:
        constants: tensors that depend on the sizes of frames alone, of the sizes seen in inference.

    Raises:
        ValueError: a threshold is out of its range.
    """

    @configurable
    def __init__(
        self,
        *,
        backbone: Backbone,
        context_fusion: RobustContextFusion,
        instance_decoder: InstanceDecoder,
        mask_decoder: MaskDecoder,
        heads: InstanceHeads,
        criterion: SetCriterion | None = None,
        in_features: Sequence[str] = ("res2", "res3", "res4", "res5"),
        context_feature: str = "res5",
        size_divisibility: int = 32,
        pixel_mean: Sequence[float],
        pixel_std: Sequence[float],
        deep_supervision: bool = True,
        identity_rules: IdentityRules = IdentityRules(),  # noqa: B008 (frozen)
        score_thresh: float = 0.4,
        mask_thresh: float = 0.5,
        audio: AudioContext | None = None,
        carrier: CodeCarrier | None = None,
    ) -> None:
        super().__init__()
        if not 0 <= score_thresh <= 1:
            raise ValueError(
                f"MODEL.RCF.TEST.SCORE_THRESH is {score_thresh}, expected 0 <= it <= 1"
            )
        if not 0 < mask_thresh < 1:
            raise ValueError(f"MODEL.RCF.TEST.MASK_THRESH is {mask_thresh}, expected 0 < it < 1")
        self.backbone = backbone
        self.audio = audio
        self.carrier = carrier
        self.context_fusion = context_fusion
        self.instance_decoder = instance_decoder
        self.mask_decoder = mask_decoder
        self.heads = heads
        self.criterion = criterion
        self.in_features = tuple(in_features)
        self.context_feature = context_feature
        self.size_divisibility = size_divisibility
        self.deep_supervision = deep_supervision
        self.identity_rules = identity_rules
        self.score_thresh = score_thresh
        self.mask_thresh = mask_thresh
        self.constants = SizeConstants()
        self.register_buffer("pixel_mean", torch.tensor(pixel_mean).view(-1, 1, 1), False)
        self.register_buffer("pixel_std", torch.tensor(pixel_std).view(-1, 1, 1), False)

    @classmethod
    def from_config(cls, cfg: CfgNode) -> dict:
        rcf, test = cfg.MODEL.RCF, cfg.MODEL.RCF.TEST
        _check_evaluation_keys(test)
        backbone = build_backbone(cfg)
        shapes = backbone.output_shape()
        check_levels(rcf.IN_FEATURES, rcf.CONTEXT_FEATURE, shapes)
        return {
            "backbone": backbone,
            "context_fusion": RobustContextFusion(cfg, shapes),
            "instance_decoder": InstanceDecoder(cfg),
            "mask_decoder": MaskDecoder(cfg, shapes),
            "heads": InstanceHeads(cfg),
            "criterion": SetCriterion(cfg),
            "in_features": rcf.IN_FEATURES,
            "context_feature": rcf.CONTEXT_FEATURE,
            "size_divisibility": rcf.SIZE_DIVISIBILITY,
            "pixel_mean": cfg.MODEL.PIXEL_MEAN,
            "pixel_std": cfg.MODEL.PIXEL_STD,
            "deep_supervision": rcf.DEEP_SUPERVISION,
            "identity_rules": IdentityRules(
                slot_identity=test.SLOT_IDENTITY,
                iou_identity=test.IOU_IDENTITY,
                iou_thresh=test.MATCH_IOU_THRESH,
                max_age=test.MAX_AGE,
            ),
            "score_thresh": test.SCORE_THRESH,
            "mask_thresh": test.MASK_THRESH,
            "audio": AudioContext(cfg) if rcf.AUDIO.ENABLED else None,
            "carrier": CodeCarrier(cfg) if rcf.CARRY_CODE else None,
        }

    @property
    def device(self) -> torch.device:
        return self.pixel_mean.device

    @property
    def dtype(self) -> torch.dtype:
        """Of the weights, hence of the network's tensors."""
        return self.instance_decoder.queries.weight.dtype

    @property
    def num_reference_frames(self) -> int:
        """δ."""
        return self.context_fusion.num_reference_frames

    def forward(self, batched_inputs: list[dict]) -> dict[str, Tensor] | list[Iterator[Instances]]:
        """Losses of a batch of clips, or the instances of whole videos.

        Args:
            batched_inputs: dicts of :class:`rcf_vis.data.ClipDatasetMapper`. In training: ``image``
                is a clip, a list of uint8 ``(3, h, w)`` of one size, the target last, and
                ``instances`` the ground truth of its last ``len(instances)`` frames. Otherwise:
                ``image`` is any sequence of frames, ``height`` and ``width`` the output size.
                An audio-visual model also takes ``audio`` or ``audio_features``, an item a frame
                (see :meth:`track`); without them the video is silent.

        Returns:
            In training a dict of losses. Otherwise, for each video, an iterator that runs the
            network as it is consumed and yields what :meth:`track` gives, frame by frame.
        """
        if self.training:
            return self._losses(batched_inputs)
        return [self._video(video) for video in batched_inputs]

    def extract_features(self, images: Sequence[Tensor]) -> FrameFeatures:
        """Normalise, pad to one size and run the backbone; ``(3, h, w)`` each, any dtype."""
        images = [(x.to(self.device).float() - self.pixel_mean) / self.pixel_std for x in images]
        batch = padded_batch(images, self.size_divisibility).to(self.dtype)
        features = self.backbone(batch)
        sizes = tuple((int(x.shape[-2]), int(x.shape[-1])) for x in images)
        constants = SizeConstants() if self.training else self.constants  # sizes are random there
        strides = {name: shape.stride for name, shape in self.backbone.output_shape().items()}
        return FrameFeatures(
            {
                name: FeatureMap(features[name], strides[name], sizes, constants)
                for name in self.in_features
            },
            self.context_feature,
        )

    def step(
        self, features: FrameFeatures, state: OnlineState, audio_feature: Tensor | None = None
    ) -> tuple[StepOutput, OnlineState]:
        """The online step: predict one frame from its features and the past (section III-B).

        Args:
            features: of one frame of each clip of a batch.
            state: of those clips; ``OnlineState()`` for their first frames.
            audio_feature: a_t of this frame, ``(B, C_a)``, in an audio-visual model; None is
                silence.

        Returns:
            Raw predictions, and the state with this frame's context and audio features remembered.
        """
        delta = self.num_reference_frames
        references = state.filled_references(features.context, delta)
        further = []
        if self.audio is not None:
            if audio_feature is None:
                silence = self.audio.features_of_frame(None)
                audio_feature = silence.expand(len(features.context.data), -1)
            past = state.filled_audio_features(audio_feature, delta)
            further.append(self.audio((*past[::-1], audio_feature)))
        carried, shift = state.carried, None
        if self.carrier is not None:
            num_slots = self.instance_decoder.queries.num_embeddings
            carried = self.carrier.of_state(carried, num_slots, features.context.data)
            further.append(self.carrier.tokens(carried))
            shift = self.carrier.queries(carried)
        elif carried is not None:
            raise ValueError(
                "a state with a carried code, of a model with MODEL.RCF.CARRY_CODE, which is "
                "False here"
            )
        fused = self.context_fusion(features.context, references, further)
        segmentation = self.mask_decoder(fused.target, features.finer)
        codes = self.instance_decoder(fused, shift)
        used = codes if self.training and self.deep_supervision else codes[-1:]
        *auxiliary, last = [self.heads(code, segmentation.data) for code in used]
        output = StepOutput(*last, segmentation, tuple(auxiliary))
        if self.carrier is not None:
            carried = self.carrier.update(carried, codes[-1], *last, segmentation)
        return output, state.remember(features.context, delta, audio_feature, carried)

    def track(
        self,
        image: Tensor,
        state: OnlineState,
        output_size: tuple[int, int],
        audio: Tensor | None = None,
    ) -> tuple[Instances, OnlineState]:
        """One frame of one video, from pixels to identities.

        Args:
            image: ``(3, h, w)``, as the test augmentation gives it.
            state: of the video; ``OnlineState()`` for its first frame.
            output_size: (height, width) of the masks.
            audio: the frame's log-mel patch, ``(η, 64)``, or its a_t, ``(C_a,)``; None is silence.

        Returns:
            ``Instances`` of the slots that fired, on the CPU, with ``pred_masks`` (bool,
            F × output_size; a :class:`~rcf_vis.tracking.TrackInstances`: dense only for who asks
            for them), ``pred_boxes`` (the tight boxes of the masks; zeros for an empty mask),
            ``pred_classes``, ``scores`` (of this frame), ``class_probs`` (F × num_classes),
            ``track_ids`` and ``slots`` (int64); and the state for the next frame.
        """
        return self.track_each([image], [state], output_size, [audio])[0]

    @torch.no_grad()
    def track_each(
        self,
        images: Sequence[Tensor],
        states: Sequence[OnlineState],
        output_size: tuple[int, int],
        audio: Sequence[Tensor | None] | None = None,
    ) -> list[tuple[Instances, OnlineState]]:
        """One frame of each of several videos in one step; what :meth:`track` gives for each.

        Args:
            images, states, audio: of each video, see :meth:`track`; the images have one size, and
                the videos all begin with this frame or have all begun before.
            output_size: the same for all.

        Raises:
            ValueError: some of the videos begin with this frame, others do not.
        """
        delta, audio_features = self.num_reference_frames, None
        if self.audio is not None:
            features = [self.audio.features_of_frame(a) for a in audio or [None] * len(images)]
            audio_features = torch.cat(features)
        batch = OnlineState.batch_of(states, delta)
        images = torch.stack([image.to(self.device) for image in images])
        frames, context, carried = self.frame_step(images, batch, audio_features)
        decided = self.decide_each(frames, [state.identities for state in states], output_size)
        remembered = [
            state.remember(
                context.of_image(index),
                delta,
                None if audio_features is None else audio_features[index : index + 1],
                carried and carried.of_video(index),
            )
            for index, state in enumerate(states)
        ]
        return [
            (instances, replace(state, identities=identities))
            for state, (instances, identities) in zip(remembered, decided, strict=True)
        ]

    def decide(
        self,
        frame: FrameOutput,
        identities: IdentityState,
        output_size: tuple[int, int],
        score_thresh: float | None = None,
    ) -> tuple[Instances, IdentityState]:
        """From the network's output for a frame to instances: what fires, masks, identities.

        Args:
            frame: of :meth:`run_network`.
            identities: the video's past; ``IdentityState()`` for its first frame.
            output_size: (height, width) of the masks.
            score_thresh: at which slots fire; None: the model's own.

        Returns:
            As :meth:`track`, with the identities' state for the next frame.
        """
        batch = frame._replace(logits=frame.logits[None], masks=frame.masks[None])
        return self.decide_each(batch, [identities], output_size, score_thresh)[0]

    @torch.no_grad()
    def decide_each(
        self,
        frames: FrameOutput,
        identities: Sequence[IdentityState],
        output_size: tuple[int, int],
        score_thresh: float | None = None,
    ) -> list[tuple[Instances, IdentityState]]:
        """As :meth:`decide`, for a frame of each of several videos, of :meth:`frame_step`."""
        return decide_frames(
            frames,
            identities,
            output_size,
            rules=self.identity_rules,
            score_thresh=self.score_thresh if score_thresh is None else score_thresh,
            mask_thresh=self.mask_thresh,
        )

    def run_network(self, video: dict) -> Iterator[FrameOutput]:
        """The network's output for each frame of a video, computed as it is consumed.

        Args:
            video: as in :meth:`forward`, not in training.
        """
        state, frames = OnlineState(), video["image"]
        audio_of = video.get("audio_features", video.get("audio"))
        if self.audio is None or audio_of is None:
            audio_of = [None] * len(frames)
        if len(audio_of) != len(frames):
            raise ValueError(
                f"a video of {len(frames)} frames with audio for {len(audio_of)} of them"
            )
        for image, audio in zip(frames, audio_of, strict=True):
            output, state = self._frame_output(image, state, audio)
            yield output

    @torch.no_grad()
    def _frame_output(
        self, image: Tensor, state: OnlineState, audio: Tensor | None
    ) -> tuple[FrameOutput, OnlineState]:
        audio_feature = None if self.audio is None else self.audio.features_of_frame(audio)
        image = image.to(self.device)[None]
        frames, context, carried = self.frame_step(image, state, audio_feature)
        delta = self.num_reference_frames
        return frames.of_video(0), state.remember(context, delta, audio_feature, carried)

    def frame_step(
        self, images: Tensor, state: OnlineState, audio_features: Tensor | None
    ) -> tuple[FrameOutput, FeatureMap, CarriedCode | None]:
        """From the pixels of frames to all that the network says of them; on the device alone.

        Args:
            images: ``(B, 3, h, w)``, any dtype, a frame of each of B videos.
            state: of these videos.
            audio_features: their a_t, ``(B, C_a)``, in an audio-visual model.

        Returns:
            The predictions, and what the state is to remember: the context feature f_t and the
            carried code.
        """
        features = self.extract_features(list(images))
        output, state = self.step(features, state, audio_features)
        height, width = output.segmentation.valid_sizes[0]
        masks = output.masks[..., :height, :width]
        size = (int(images.shape[-2]), int(images.shape[-1]))
        frames = FrameOutput(output.logits, masks, output.segmentation.stride, size)
        return frames, features.context, state.carried

    def _video(self, video: dict) -> Iterator[Instances]:
        identities, output_size = IdentityState(), (video["height"], video["width"])
        for frame in self.run_network(video):
            instances, identities = self.decide(frame, identities, output_size)
            yield instances

    def _losses(self, clips: list[dict]) -> dict[str, Tensor]:
        if self.criterion is None:
            raise ValueError("RCF was built without a criterion: it can infer, but not be trained")
        outputs = self._supervised_steps(clips)
        segmentation = outputs[0].segmentation
        size = tuple(segmentation.data.shape[-2:])
        targets = batch_targets(clips, segmentation.stride, size, self.device)
        steps = zip(*(output.layers() for output in outputs), strict=True)
        layers = [
            SlotPredictions(
                torch.cat([slots.logits for slots in layer]),
                torch.cat([slots.masks for slots in layer]),
            )
            for layer in steps
        ]
        return self.criterion(layers, targets)

    def _supervised_steps(self, clips: list[dict]) -> list[StepOutput]:
        """Walk the clips as online inference would; predict where there is ground truth."""
        lengths = {(len(clip["image"]), len(clip["instances"])) for clip in clips}
        if len(lengths) != 1:
            raise ValueError(f"clips of a batch differ in (frames, supervised frames): {lengths}")
        ((num_frames, num_supervised),) = lengths
        # All frames of all clips pass the backbone at once, frame by frame of each clip.
        features = self.extract_features(
            [clip["image"][t] for t in range(num_frames) for clip in clips]
        )
        audio_features = [None] * num_frames
        if self.audio is not None:
            audio_features = self.audio.features_of_clips(clips, num_frames)
        state, outputs = OnlineState(), []
        for t in range(num_frames):
            frame = features.of_frame(t, len(clips))
            if t < num_frames - num_supervised:
                state = state.remember(frame.context, self.num_reference_frames, audio_features[t])
                continue
            output, state = self.step(frame, state, audio_features[t])
            outputs.append(output)
        return outputs


def _check_evaluation_keys(test: CfgNode) -> None:
    """Those that the evaluation reads long after: a wrong one is to be told before any work."""
    if test.LABELS_PER_TRACK < 1:
        raise ValueError(
            f"MODEL.RCF.TEST.LABELS_PER_TRACK is {test.LABELS_PER_TRACK}, expected 1 or more"
        )
    if test.AP_SCORE_THRESH != -1 and not 0 <= test.AP_SCORE_THRESH <= 1:
        raise ValueError(
            f"MODEL.RCF.TEST.AP_SCORE_THRESH is {test.AP_SCORE_THRESH}, expected 0 <= it <= 1, or "
            "-1 for no second evaluation"
        )
