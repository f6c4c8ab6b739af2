"""Quality presets: one frozen dataclass per room, read from presets/quality/*.toml. Standard library only."""

from __future__ import annotations

import dataclasses
import tomllib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from .errors import ReliTalkError


@dataclass(frozen=True)
class FitConfig:
    """The whole-clip fit of the head."""

    head: str = "anny"
    """The head model: anny, flame or ict; the last two are read from files of the user's own."""
    iterations: int = 300
    """Steps of the joint fit over the clip."""
    smooth: float = 1.0
    """Weight of the temporal smoothness, 1 is the default."""
    landmark_sigma: float = 0.015
    """Expected error of a landmark, over the distance of the outer eye corners."""
    shape_weight: float = 1.0
    """Weight of the unit-Gaussian prior on the head's shape."""
    expression_weight: float = 1.0
    """Weight of the sparse prior on the actions."""
    relief: float = 1.0
    """Weight of the tracker's own depth of the landmarks."""
    contour: float = 1.0
    """Weight of the outline of cheeks and jaw."""
    photometric: float = 1.0
    """Weight of the pictures themselves; 0 leaves them out."""
    keyframes: int = 16
    """Frames whose pictures shape the head."""
    refine: float = 1.0
    """Weight of each frame's own picture in its pose and expression; 0 leaves it out."""
    focal: float = 0.0
    """Focal length in pixels of the clip; 0 estimates it."""
    distance: float = 1.2
    """Expected distance of head and camera in metres, where the estimate of the focal length starts."""


@dataclass(frozen=True)
class SurfaceConfig:
    """The implicit surface around the fitted head."""

    steps: int = 120
    """Training steps; 0 leaves the surface out, and normals come from mesh and silhouette."""
    rounds: int = 2
    """Times that the surface's points are taken anew; shading shapes it from the second on."""
    frames: int = 32
    """Training frames, from all sides that the clip shows."""
    rays: int = 800
    """Silhouette rays per frame."""
    voxel: float = 0.005
    """Step of the grid that holds the distance, metres."""
    silhouette: float = 1.0
    """Weight of the matte."""
    shading: float = 1.0
    """Weight of the coarse renderer's error."""
    head: float = 0.1
    """Weight of closeness to the head's mesh where that is the visible surface."""
    free: float = 2.0
    """Weight of the emptiness before skin that is seen bare."""
    eikonal: float = 0.5
    """Weight of the gradient's unit length."""
    smooth: float = 300.0
    """Weight of the change's bending."""
    learning_rate: float = 1e-3
    """Of Adam, metres per step."""


@dataclass(frozen=True)
class ReflectanceConfig:
    """The decomposition of the clip into normal, albedo, specular weight and light (eq. 10 to 21)."""

    size: int = 192
    """Side of the square that the networks see, in pixels."""
    channels: int = 16
    """Channels of the first layer; the prior's networks have 16, and others (the paper's 64) start without it."""
    samples: int = 48
    """Training frames, drawn evenly over the clip."""
    batch: int = 2
    """Frames per step."""
    steps_coarse: int = 80
    """Steps of F_coarse, the rough geometry and the first light."""
    steps_decompose: int = 500
    """Steps of the decomposition under the priors."""
    steps_consistency: int = 80
    """Steps with identity-consistent supervision, at the end."""
    learning_rate: float = 1e-3
    """Of Adam."""
    render: float = 1.0
    """Weight of the rendered image against the clip (eq. 20)."""
    delta_normal: float = 1.0
    """Weight of the L1 norm of the normal residual."""
    consistency: float = 3.0
    """Weight of the identity-consistent supervision."""
    parsimony: float = 0.001
    """Weight of the entropy of the skin's albedo."""
    smooth: float = 1.0
    """Weight of total variation on albedo, normal, specular and C_spec (eq. 21)."""
    exposure_gauge: bool = True
    """Fix scale and colour by the skin prior; without it the light's start decides."""
    paper: bool = False
    """As printed: eq. 17's tinted specular, A = F_albedo(I) with no classical start, SH light only."""
    use_prior: bool = True
    """Start F_albedo from the weights that ship, where its channels are the same, and stay near what it says."""
    use_normal: bool = True
    """Refine the normal by F_normal."""
    use_specular: bool = True
    """Have a specular part at all."""
    use_learnt_light: bool = True
    """Learn the light on from its start."""
    use_consistency: bool = True
    """Have identity-consistent supervision at all."""
    use_texture: bool = True
    """Solve one albedo texture over all poses, which every frame follows."""


@dataclass(frozen=True)
class SynthesisConfig:
    """The driven area: F_local and F_blend."""

    size: int = 160
    """Side of the removed box inside the networks, in pixels."""
    channels: int = 24
    """Channels of the first layer of both networks."""
    steps_local: int = 100
    """Steps of F_local alone."""
    steps_blend: int = 600
    """Steps of F_local and F_blend together."""
    minutes: float = 3.0
    """Minutes that all steps may take: the schedule then ends early; 0 sets no limit."""
    batch: int = 1
    """Frames per step."""
    learning_rate: float = 1e-3
    """Of Adam."""
    rgb_local: float = 1.0
    """Weight of F_local's colour error (eq. 6)."""
    rgb_blend: float = 1.0
    """Weight of F_blend's colour error (eq. 7)."""
    perceptual: float = 0.3
    """Weight of the perceptual loss (eq. 8), calibrated for the built-in network; the paper's 100 is for a face VGG."""
    neighbours: int = 3
    """Real mouths of the clip that are blended."""
    retrieval: bool = True
    """Show F_local the nearest real mouths of the clip, warped to the pose."""
    normalised: bool = True
    """Paint in light-normalised space."""
    blend: bool = True
    """Join the painted mouth to the clip by F_blend; without it the mouth nearest in pose stands about it."""
    removed: float = 120 / 256
    """Side of the removed area, as a share of the paper's crop."""
    driven: float = 80 / 256
    """Side of the driven area likewise."""


@dataclass(frozen=True)
class SpeechConfig:
    """From sound to mouth: F_mesh and F_exp."""

    steps: int = 600
    """Training steps."""
    channels: int = 64
    """Channels of the 1D convolutions."""
    window: int = 8
    """Adjacent frames under self-attention."""
    exp: float = 1.0
    """Weight of the expression error (eq. 20)."""
    lip: float = 1.0
    """Weight of the lip mesh's vertex error."""
    velocity: float = 0.5
    """Weight of the expression's velocity error."""
    recall: bool = False
    """Condition F_exp on its own motion of the frame before, as LipSync3D does."""
    learning_rate: float = 1e-3
    """Of Adam."""


@dataclass(frozen=True)
class Preset:
    """One quality preset."""

    name: str = "draft"
    """Its name, as in --preset."""
    description: str = ""
    """One sentence for the panel and the help."""
    fit: FitConfig = field(default_factory=FitConfig)
    surface: SurfaceConfig = field(default_factory=SurfaceConfig)
    reflectance: ReflectanceConfig = field(default_factory=ReflectanceConfig)
    synthesis: SynthesisConfig = field(default_factory=SynthesisConfig)
    speech: SpeechConfig = field(default_factory=SpeechConfig)


PARTS: dict[str, type] = {
    "fit": FitConfig,
    "surface": SurfaceConfig,
    "reflectance": ReflectanceConfig,
    "synthesis": SynthesisConfig,
    "speech": SpeechConfig,
}


def presets_folder() -> Path:
    """The presets folder: inside the package when installed from a wheel, beside it in the repository.

    Raises:
        ReliTalkError: neither is there.
    """
    here = Path(__file__).resolve().parent
    for folder in (here / "presets", here.parent / "presets"):
        if (folder / "quality").is_dir():
            return folder
    raise ReliTalkError("no_presets", f"The presets folder is missing beside {here}.", "Install ReliTalk again.", 4)


def preset_names() -> list[str]:
    """Names of the presets that ship, the quickest first."""
    order = {"draft": 0, "standard": 1, "high": 2, "paper": 3}
    names = [path.stem for path in (presets_folder() / "quality").glob("*.toml")]
    return sorted(names, key=lambda name: (order.get(name, 9), name))


def load_preset(name_or_path: str | Path) -> Preset:
    """Read a preset by its name or from a TOML file of the user's own.

    Args:
        name_or_path: "draft", "standard", "high", "paper", or a path that ends in .toml.

    Returns:
        The preset; fields that the file leaves out keep their defaults.

    Raises:
        ReliTalkError: no such preset, not TOML, an unknown field, or a value of the wrong kind.
    """
    path = Path(name_or_path)
    if path.suffix != ".toml":
        path = presets_folder() / "quality" / f"{name_or_path}.toml"
        if not path.is_file():
            raise ReliTalkError(
                "no_preset",
                f'There is no preset "{name_or_path}".',
                f"Presets are {', '.join(preset_names())}, or a .toml file of your own.",
            )
    try:
        text = path.read_text(encoding="utf-8")
        table = tomllib.loads(text)
    except OSError as error:
        raise ReliTalkError(
            "no_preset", f"The preset {path} cannot be read ({error.strerror}).", "Check the path."
        ) from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ReliTalkError(
            "bad_preset", f"The preset {path} is not valid TOML: {error}.", "Mend that line."
        ) from error
    return _preset(table, path)


def _preset(table: dict[str, Any], path: Path) -> Preset:
    parts: dict[str, Any] = {}
    for key, kind in PARTS.items():
        section = table.pop(key, {})
        if not isinstance(section, dict):
            raise ReliTalkError("bad_preset", f"In {path}, {key} must be a table, [{key}].", "Mend that line.")
        parts[key] = kind(**_checked(kind, section, f"{path}, [{key}]"))
    table.setdefault("name", path.stem)
    return Preset(**_checked(Preset, table, str(path)), **parts)


def _checked(kind: type, values: dict[str, Any], where: str) -> dict[str, Any]:
    """Values of a TOML table as fields of a dataclass, each of the default's type."""
    defaults = {f.name: f.default for f in dataclasses.fields(kind) if f.default is not dataclasses.MISSING}
    result = {}
    for key, value in values.items():
        if key not in defaults:
            known = ", ".join(defaults)
            raise ReliTalkError("bad_preset", f'In {where} there is no field "{key}".', f"Fields are {known}.")
        wanted = type(defaults[key])
        if wanted is float and type(value) is int:
            value = float(value)
        if type(value) is not wanted:
            raise ReliTalkError(
                "bad_preset",
                f'In {where} the field "{key}" is {value!r}, and must be of the kind {wanted.__name__}.',
                f"The default is {defaults[key]!r}.",
            )
        if wanted in (int, float) and value < 0:
            raise ReliTalkError("bad_preset", f'In {where} the field "{key}" is {value!r}.', "It must not be negative.")
        result[key] = value
    return result
