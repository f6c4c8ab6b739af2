"""Pictures that the panels show: thumbnails of jobs, a frame of the subject's clip, spheres under a light."""

from __future__ import annotations

import contextlib
from pathlib import Path

import bpy
import bpy.utils.previews
import numpy as np
from bpy.props import FloatProperty

from ..relitalk_engine.errors import ReliTalkError
from ..relitalk_engine.lighting import lit_sphere, rigs, sh
from . import settings

FILMS = {".mp4", ".mov", ".mkv", ".webm", ".avi", ".m4v"}
SPHERE = 96
"""Side of the sphere's picture, in pixels."""

_shelf: bpy.utils.previews.ImagePreviewCollection | None = None
_stamps: dict[str, int] = {}
_lights: dict[str, list[str]] = {}
"""By scene: what the light was before, and is now."""


def of_file(path: Path) -> int:
    """The icon of a picture or film, read again when the file changes; 0 where there is none to show."""
    try:
        stamp = path.stat().st_mtime_ns
    except OSError:
        return 0
    key = str(path)
    if _stamps.get(key) != stamp:
        kind = "MOVIE" if path.suffix.lower() in FILMS else "IMAGE"
        _collection().load(key, key, kind, force_reload=key in _stamps)
        _stamps[key] = stamp
    return _collection()[key].icon_id


def keep(key: str, rgb: np.ndarray) -> None:
    """Keep a picture under a name.

    Args:
        key: its name.
        rgb: [H, W, 3] uint8 as the display shows it, or float 0..1.
    """
    height, width = rgb.shape[:2]
    values = rgb.astype(np.float32) / (255.0 if rgb.dtype == np.uint8 else 1.0)
    pixels = np.dstack([values, np.ones((height, width), np.float32)])[::-1]
    shelf = _collection()
    picture = shelf[key] if key in shelf else shelf.new(key)
    picture.image_size = (width, height)
    picture.image_pixels_float.foreach_set(np.ascontiguousarray(pixels).reshape(-1))


def icon(key: str) -> int:
    """The icon of a picture that was kept; 0 where there is none."""
    shelf = _collection()
    return shelf[key].icon_id if key in shelf else 0


def spheres(scene: bpy.types.Scene) -> tuple[int, int]:
    """Icons of a sphere under the scene's light before the last change and now; 0 where there is none to show."""
    seen = _lights.setdefault(scene.name, [])
    text, coefficients = scene.relitalk.light, np.array(scene.relitalk.light_sh).reshape(9, 3)
    matched = text == settings.MATCHED and coefficients.any()
    key = f"light {coefficients.tobytes().hex() if matched else text}"
    if not seen or seen[-1] != key:
        if not matched and not text.startswith("dir:"):
            return (icon(seen[-1]) if seen else 0), 0
        try:
            keep(key, _matt(coefficients) if matched else lit_sphere.preview(rigs.load_light(text), SPHERE))
        except ReliTalkError:
            return 0, 0
        _lights[scene.name] = seen = [*seen[-1:], key]
    return (icon(seen[0]) if len(seen) > 1 else 0), icon(seen[-1])


def _matt(coefficients: np.ndarray) -> np.ndarray:
    """A matt sphere under nine coefficients, [S, S, 3] uint8: its highlights would take seconds to add up."""
    axis = ((np.arange(SPHERE) + 0.5) / SPHERE * 2.0 - 1.0) * 1.06
    x, y = np.meshgrid(axis, -axis)
    normals = np.stack([x, y, np.sqrt(np.maximum(1.0 - x * x - y * y, 0.0))], axis=-1)
    normals /= np.linalg.norm(normals, axis=-1, keepdims=True)
    cover = np.clip((1.0 - np.hypot(x, y)) * SPHERE / 2.12 + 0.5, 0.0, 1.0)[..., None]
    shading = np.maximum(sh.shade(coefficients, normals), 0.0)
    linear = np.clip(lit_sphere.PREVIEW_ALBEDO * shading * cover + lit_sphere.BACKDROP * (1.0 - cover), 0.0, 1.0)
    encoded = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    return np.rint(encoded * 255.0).astype(np.uint8)


def clip_frame(clip: Path, frame: int) -> np.ndarray:
    """One frame of a film as the display shows it, [H, W, 3] uint8.

    Raises:
        ReliTalkError: Blender cannot read it.
    """
    image = texture = None
    try:
        image = bpy.data.images.load(str(clip), check_existing=False)
        texture = bpy.data.textures.new("ReliTalk frame", "IMAGE")  # only a user of an image names its frame
        texture.image = image
        user = texture.image_user
        user.frame_duration = image.frame_duration
        user.frame_current = min(max(frame, 0), image.frame_duration - 1) + 1
        texture.evaluate((0.0, 0.0, 0.0))
        width, height = image.size
        flat = np.empty(width * height * image.channels, np.float32)
        image.pixels.foreach_get(flat)
    except (RuntimeError, ValueError, TypeError) as error:
        raise ReliTalkError("bad_clip", f"{clip} cannot be shown ({error}).") from error
    finally:
        if texture is not None:
            bpy.data.textures.remove(texture)
        if image is not None:
            bpy.data.images.remove(image)
    pixels = flat.reshape(height, width, -1)[::-1, :, :3]
    return np.rint(np.clip(pixels, 0.0, 1.0) * 255.0).astype(np.uint8)


def show_clip(context: bpy.types.Context) -> None:
    """Keep the frame of the subject's clip at which the slider stands."""
    clip, frames = settings.subject_clip(context)
    if clip is None:
        return
    position = context.window_manager.relitalk_position / 100.0
    rgb = clip_frame(clip, round(position * max(frames - 1, 0)))
    step = max(1, min(rgb.shape[:2]) // 256)
    keep(f"clip {clip}", rgb[::step, ::step])


def _collection() -> bpy.utils.previews.ImagePreviewCollection:
    global _shelf
    if _shelf is None:
        _shelf = bpy.utils.previews.new()
    return _shelf


def register() -> None:
    """Called from the root."""
    bpy.types.WindowManager.relitalk_position = FloatProperty(
        name="Position", subtype="PERCENTAGE", min=0.0, max=100.0, default=0.0, precision=0, options={"SKIP_SAVE"},
        description="Which frame of the subject's clip is shown", update=_moved,
    )


def _moved(_: bpy.types.WindowManager, context: bpy.types.Context) -> None:
    with contextlib.suppress(ReliTalkError):  # a clip that went away is said where the subject is chosen
        show_clip(context)


def unregister() -> None:
    """Called from the root."""
    global _shelf
    if _shelf is not None:
        bpy.utils.previews.remove(_shelf)
    _shelf = None
    _stamps.clear()
    _lights.clear()
    del bpy.types.WindowManager.relitalk_position
