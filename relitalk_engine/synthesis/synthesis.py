"""The trained synthesis, and the painter that drives a take with it, frame by frame."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch

from ..config import SynthesisConfig
from ..errors import ReliTalkError
from ..events import Reporter
from ..face.backdrop import Backdrop
from ..face.fitting import HeadFit
from ..face.head_model import HeadModel
from ..face.trunk import Trunk
from .align import one_after_another, rim_flow, shifted
from .around import looks, unlike
from .bands import FINE, mix_bands
from .bank import Bank, Driven, Frames
from .boxes import boxes, erased, mouth_sweep
from .examples import known_map, network_inputs
from .guides import SourceLight
from .motion import Motion
from .networks import Networks
from .outline import Outline
from .retrieval import plan
from .rim import close_rim
from .spoken import CHANNELS, Speaker, Spoken

GONE = 0.1
"""Below this matte, more and more of the backdrop is shown in place of what was painted."""


@dataclass
class Synthesis:
    """What was learned of one person's mouth.

    Attributes:
        networks: F_local and F_blend.
        light: the clip's light, as it is divided out.
        sweep: [P, E] the clip's extreme mouths.
        outline: where the person's outline lies beside the fitted head's.
        config: what it was trained with.
        wav2lip: digest of the user's Wav2Lip that F_blend learned to see; empty: none.
    """

    networks: Networks
    light: SourceLight
    sweep: np.ndarray
    outline: Outline
    config: SynthesisConfig
    wav2lip: str = ""

    def tensors(self) -> dict[str, np.ndarray]:
        """For `weights.safetensors`, each name beginning with "synthesis."."""
        values = {f"synthesis.net.{k}": v.cpu().contiguous().numpy() for k, v in self.networks.state_dict().items()}
        values["synthesis.sweep"] = self.sweep.astype(np.float32)
        values["synthesis.outline"] = self.outline.slopes.astype(np.float32)
        values["synthesis.outline_reach"] = self.outline.reach.astype(np.float32)
        values["synthesis.trunk"] = self.outline.trunk.tensor
        values["synthesis.light"] = np.zeros((0, 3), np.float32) if self.light.sh is None else self.light.sh
        config = self.config
        shape = [config.size, config.channels, self.networks.layers, config.removed, config.driven]
        values["synthesis.shape"] = np.array(shape, np.float64)
        if self.wav2lip:
            values["synthesis.wav2lip"] = np.frombuffer(self.wav2lip.encode(), np.uint8).copy()
        return values

    @classmethod
    def from_tensors(cls, values: dict[str, np.ndarray]) -> Synthesis:
        """The inverse of `tensors`; other names are passed over.

        Raises:
            ReliTalkError: the tensors are not a whole synthesis.
        """
        try:
            size, channels, layers, removed, driven = values["synthesis.shape"]
            prefix = "synthesis.net."
            state = {k[len(prefix):]: torch.from_numpy(v.copy()) for k, v in values.items() if k.startswith(prefix)}
            blend = any(name.startswith("blend.") for name in state)
            wav2lip = bytes(values.get("synthesis.wav2lip", b"")).decode("ascii")
            networks = Networks(int(layers), int(channels), blend, CHANNELS if wav2lip else 0)
            networks.load_state_dict(state)
            sh, sweep = values["synthesis.light"], values["synthesis.sweep"]
            trunk = Trunk.from_tensor(values["synthesis.trunk"])
            outline = Outline(values["synthesis.outline"], values["synthesis.outline_reach"], trunk)
        except (KeyError, ValueError, RuntimeError) as error:
            raise ReliTalkError(
                "bad_weights", "The subject's weights hold no whole mouth synthesis.", "Train the subject again."
            ) from error
        config = SynthesisConfig(
            size=int(size), channels=int(channels), removed=float(removed), driven=float(driven),
            neighbours=int(layers), retrieval=layers > 0, normalised=len(sh) > 0, blend=blend,
        )  # fmt: skip
        return cls(networks, SourceLight(sh if len(sh) else None), sweep, outline, config, wav2lip)


@dataclass(frozen=True)
class Patch:
    """The painted removed area of one frame, lit as the clip was.

    Attributes:
        box: x, y, width, height.
        rgb: [height, width, 3] uint8, sRGB.
        alpha: [height, width] float32 matte.
    """

    box: np.ndarray
    rgb: np.ndarray
    alpha: np.ndarray

    def onto(self, rgb: np.ndarray) -> np.ndarray:
        """A copy of a frame [H, W, 3] uint8 with the patch in it; all other pixels stay to the bit."""
        return self._paste(rgb, self.rgb)

    def onto_alpha(self, alpha: np.ndarray) -> np.ndarray:
        """The same for its matte [H, W] float."""
        return self._paste(alpha, self.alpha.astype(alpha.dtype))

    def _paste(self, image: np.ndarray, part: np.ndarray) -> np.ndarray:
        x, y, width, height = (int(v) for v in self.box)
        image = image.copy()
        image[y : y + height, x : x + width] = part
        return image


class Painter:
    """Paints any frame of one take; every frame depends on the take's plan and on itself alone.

    Args:
        synthesis: the subject's.
        head: the head model.
        clip: the training clip's fit.
        rgb: the clip's frames, by number, [H, W, 3] uint8.
        alpha: the clip's mattes likewise, or None.
        fit: poses and camera of the take's base footage, one per frame of the take.
        psi: [T, E] driven actions.
        device: torch device.
        keep: frames of the clip to hold in memory.
        spoken: the take's sound, where Wav2Lip paints it for F_blend.
        footage: the base footage's frames, by number, [H, W, 3] uint8: by what is seen about their removed areas the
            surroundings are chosen. None: by the pose alone.
        backdrop: what is behind the person in that footage, where it is known: shown wherever the painted matte is
            empty, so that nothing of another frame's head is left beside this one's.
        shown: [T] the base frame of each frame of the take; the same number if absent.
        reporter: hears the progress and may cancel.
    """

    def __init__(
        self,
        synthesis: Synthesis,
        head: HeadModel,
        clip: HeadFit,
        rgb: Frames,
        alpha: Frames | None,
        fit: HeadFit,
        psi: np.ndarray,
        device: str = "cpu",
        keep: int = 24,
        spoken: Spoken | None = None,
        footage: Frames | None = None,
        backdrop: Backdrop | None = None,
        shown: np.ndarray | None = None,
        reporter: Reporter | None = None,
    ):
        """Plan the whole take."""
        self.head, self.fit, self.device = head, fit, device
        self.motion = Motion.of(head, fit, psi, synthesis.outline)
        bank_motion = Motion.of(head, clip, outline=synthesis.outline)
        self.synthesis, self.backdrop = synthesis, backdrop
        self.bank = Bank(head, clip, bank_motion, synthesis.light, rgb, alpha, keep)
        sweep = np.concatenate([synthesis.sweep, mouth_sweep(self.motion, head.mouth_actions)[1:]])
        config = synthesis.config
        self.boxes = boxes(head, fit, self.motion, sweep, config.removed, config.driven)
        layers = synthesis.networks.layers
        around = None
        if footage is not None:
            reporter, own = reporter or Reporter(quiet=True), np.arange(len(clip))
            own_boxes = boxes(head, clip, bank_motion, synthesis.sweep, config.removed, config.driven)
            shown = np.arange(len(fit)) if shown is None else shown
            around = unlike(
                looks(footage, self.boxes.removed, self.motion, shown, reporter),
                looks(rgb, own_boxes.removed, bank_motion, own, reporter),
            )
        self.plan = plan(self.motion, bank_motion, max(layers, 1), clip.valid, around=around)
        self._layers = layers
        others = self.plan.source[:, -1, 0]
        self._speaker = Speaker(spoken, self.bank, fit, self.boxes.removed, others) if spoken else None
        self._networks = synthesis.networks.to(device).eval()

    def paint(self, frame: int, rgb: np.ndarray, alpha: np.ndarray | None = None) -> Patch:
        """Paint the removed area of one frame.

        Args:
            frame: its number in the take.
            rgb: [H, W, 3] uint8, the base footage; its removed area is erased before anything reads it.
            alpha: [H, W] its matte, read outside the removed area alone. None: the matte is not fitted to it.
        """
        driven_box, box = self.boxes.driven[frame], self.boxes.removed[frame]
        size = self.synthesis.config.size
        rgb = erased(rgb, box)
        driven = Driven(self.head, self.fit, self.motion, frame, self.synthesis.light, size, self.device)
        source, weight = self.plan.source[frame, : self._layers], self.plan.weight[frame, : self._layers]
        grid, _ = driven.grid()
        base = driven.crop(rgb)
        known = known_map(box, driven, self.fit.size)
        layers = self.bank.layers(driven, grid, source, weight)
        small = np.zeros((0, size, size, 5), np.float32)
        flows = None
        if self._layers:
            small = np.stack([driven.shrink(layer) for layer in layers])
            flows = rim_flow(base, known, small, driven.guides.planes[..., 3])
            small = shifted(small, flows)
        spoken = self._speaker.crop(driven, frame, frame, rgb) if self._speaker else None
        inputs = [t.to(self.device) for t in network_inputs(driven, base, known, driven_box, small, spoken)]
        with torch.inference_mode():
            recipe = self._networks(*inputs)
        weights, added, matte = (
            np.moveaxis(t[0].float().cpu().numpy(), 0, -1) for t in (recipe.weights, recipe.added, recipe.matte)
        )
        if flows is not None:
            flows = one_after_another(flows, size * np.moveaxis(recipe.flows[0].float().cpu().numpy(), 1, -1))
        x, y, width, height = (int(v) for v in box)
        u = np.arange(x - 1, x + width + 1, dtype=np.float32) + 0.5
        v = np.arange(y - 1, y + height + 1, dtype=np.float32) + 0.5
        places = np.stack(np.meshgrid(u, v), -1)
        picture = driven.at(np.concatenate([added, matte], -1), places)
        if self._layers:
            mouths = self.bank.layers(driven, places, source, weight, flows)
            shares = driven.at(weights, places)
            picture = picture + mix_bands(mouths[..., :4], shares, FINE * driven.unit)
        picture[..., :3] = driven.light(picture[..., :3], places)
        return self._join(picture, rgb, alpha, box)

    def _join(self, picture: np.ndarray, rgb: np.ndarray, alpha: np.ndarray | None, box: np.ndarray) -> Patch:
        """Show the backdrop where nobody is, close the rim and round to pixels."""
        x, y, width, height = (int(v) for v in box)
        rows = np.clip(np.arange(y - 1, y + height + 1), 0, rgb.shape[0] - 1)
        cols = np.clip(np.arange(x - 1, x + width + 1), 0, rgb.shape[1] - 1)
        here = np.ix_(rows, cols)
        around = rgb[here].astype(np.float32) / 255
        if self.backdrop is not None:
            behind = self.backdrop.colour[here].astype(np.float32) / 255
            trust = self.backdrop.trust[here].astype(np.float32) / 255
            share = trust * np.clip(1 - picture[..., 3] / GONE, 0, 1)
            picture[..., :3] += share[..., None] * (behind - picture[..., :3])
        matte = picture[..., 3:] if alpha is None else np.asarray(alpha, np.float32)[here][..., None]
        sides = (y == 0, y + height == rgb.shape[0], x == 0, x + width == rgb.shape[1])
        joined = np.clip(close_rim(picture, np.concatenate([around, matte], -1), sides), 0, 1)
        return Patch(box, np.rint(joined[..., :3] * 255).astype(np.uint8), joined[..., 3].astype(np.float32))
