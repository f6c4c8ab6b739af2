"""The node groups of a live portrait: *ReliTalk Portrait* does the engine's sums, *ReliTalk Lit Sphere* finds texels.

They hold maths only; the pictures stay in the material. Numbers are linear Rec.709 throughout.
"""

from __future__ import annotations

import bpy
import numpy as np

from ..relitalk_engine.lighting import portrait, sh
from . import compat

PORTRAIT = "ReliTalk Portrait"
SPHERE = "ReliTalk Lit Sphere"
COEFFICIENTS = [f"Light {k}" for k in range(9)]
SHARE = "Residual Share"
CORNERS = ("00", "10", "01", "11")
"""The four texels around a normal, right and up; read one by one, as a renderer that chooses a smaller copy of the
picture by how quickly normals change would blur the light at every edge."""
KINDS = ("Diffuse", "Specular", "Hair", "Through Hair", "Hair Gloss")
"""The lit spheres of a light, beside each other in its picture."""
TEXELS = [f"{kind} {corner}" for kind in KINDS for corner in CORNERS]
PASSES = (
    ("Albedo", "NodeSocketVector"),
    ("Normal", "NodeSocketVector"),
    ("Smooth Normal", "NodeSocketVector"),
    ("Specular Weight", "NodeSocketFloat"),
    ("Hair", "NodeSocketFloat"),
    ("Transfer 0", "NodeSocketVector"),
    ("Transfer 1", "NodeSocketVector"),
    ("Transfer 2", "NodeSocketVector"),
    ("Residual", "NodeSocketVector"),
)
"""Inputs of the group that a take's passes feed; coefficients are vectors, as colour sockets clamp negatives."""
Socket = bpy.types.NodeSocket
Value = Socket | float | tuple[float, float, float]


class Sums:
    """Writes formulas as nodes: every call makes one node, links its inputs and gives its output."""

    def __init__(self, tree: bpy.types.NodeTree) -> None:
        self.tree = tree
        self._made = 0

    def node(self, kind: str, **settings: str | bool) -> bpy.types.Node:
        """A node, set further along."""
        made = self.tree.nodes.new(kind)
        made.location = 180 * (self._made // 9), -170 * (self._made % 9)
        self._made += 1
        for name, value in settings.items():
            setattr(made, name, value)
        return made

    def feed(self, socket: Socket, value: Value) -> None:
        """Link an input, or set it."""
        if isinstance(value, bpy.types.NodeSocket):
            self.tree.links.new(value, socket)
        else:
            socket.default_value = value

    def number(self, operation: str, *values: Value, clamp: bool = False) -> Socket:
        """A Math node."""
        node = self.node("ShaderNodeMath", operation=operation, use_clamp=clamp)
        for socket, value in zip(node.inputs, values, strict=False):
            self.feed(socket, value)
        return node.outputs[0]

    def vector(self, operation: str, *values: Value) -> Socket:
        """A Vector Math node."""
        node = self.node("ShaderNodeVectorMath", operation=operation)
        vectors = [socket for socket in node.inputs if socket.type == "VECTOR"]
        for socket, value in zip(vectors, values, strict=False):
            self.feed(socket, (value,) * 3 if isinstance(value, (int, float)) else value)
        return node.outputs["Value" if operation == "DOT_PRODUCT" else "Vector"]

    def parts(self, vector: Socket) -> list[Socket]:
        """x, y and z."""
        node = self.node("ShaderNodeSeparateXYZ")
        self.feed(node.inputs[0], vector)
        return list(node.outputs)

    def joined(self, *values: Value) -> Socket:
        """A vector of x, y and z."""
        node = self.node("ShaderNodeCombineXYZ")
        for socket, value in zip(node.inputs, values, strict=False):
            self.feed(socket, value)
        return node.outputs[0]


def portrait_group() -> bpy.types.NodeTree:
    """*ReliTalk Portrait*: a frame's passes and a light in, its beauty out; `reflectance.relight.relight` in nodes."""
    known = bpy.data.node_groups.get(PORTRAIT)
    if known is not None:
        return known
    tree = bpy.data.node_groups.new(PORTRAIT, "ShaderNodeTree")
    face = tree.interface
    for name, kind in PASSES:
        face.new_socket(name, in_out="INPUT", socket_type=kind)
    for name in (*TEXELS, *COEFFICIENTS, SHARE):
        face.new_socket(name, in_out="INPUT", socket_type="NodeSocketVector")
    for name in ("Right", "Up"):
        face.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat")
    face.new_socket("Beauty", in_out="OUTPUT", socket_type="NodeSocketVector")
    face.new_socket("Albedo", in_out="OUTPUT", socket_type="NodeSocketVector")
    sums = Sums(tree)
    into = sums.node("NodeGroupInput").outputs
    light = [into[name] for name in COEFFICIENTS]
    hair, albedo = into["Hair"], into["Albedo"]

    seen: Value = 0.0
    transfer = [part for k in range(3) for part in sums.parts(into[f"Transfer {k}"])]
    for weight, radiance in zip(transfer, light, strict=True):
        seen = sums.vector("MULTIPLY_ADD", weight, radiance, seen)
    free = sums.vector("MULTIPLY", light[0], float(sh.C0))
    for weight, radiance in zip(_bare_transfer(sums, into["Smooth Normal"]), light[1:], strict=True):
        free = sums.vector("MULTIPLY_ADD", weight, radiance, free)
    always = sums.vector(
        "MULTIPLY_ADD", sums.vector("ABSOLUTE", light[0]), portrait.SHADOW_FLOOR * float(sh.C0), 1e-6,
    )
    reached = sums.vector("ADD", sums.vector("MAXIMUM", seen, 0.0), always)
    visible = sums.vector("DIVIDE", reached, sums.vector("ADD", sums.vector("MAXIMUM", free, 0.0), always))
    visible = sums.vector("MINIMUM", visible, 1.0)
    open_air = sums.vector("SUBTRACT", (1.0, 1.0, 1.0), visible)
    through = sums.number("MULTIPLY", hair, portrait.HAIR_OPEN)
    visible = sums.vector("MULTIPLY_ADD", through, open_air, visible)

    lit, gleam, matt, through, gloss = (
        _between(sums, [into[f"{kind} {corner}"] for corner in CORNERS], into["Right"], into["Up"]) for kind in KINDS
    )
    lit = sums.vector("MULTIPLY_ADD", hair, sums.vector("SUBTRACT", matt, lit), lit)
    gleam = sums.vector("MULTIPLY_ADD", hair, sums.vector("SUBTRACT", gloss, gleam), gleam)
    root = sums.joined(*(sums.number("SQRT", sums.number("MAXIMUM", part, 0.0)) for part in sums.parts(albedo)))
    through = sums.vector("MULTIPLY", root, sums.vector("MULTIPLY", through, hair))
    shine = sums.vector("MULTIPLY_ADD", gleam, into["Specular Weight"], through)
    radiance = sums.vector("MULTIPLY", sums.vector("MULTIPLY_ADD", albedo, lit, shine), visible)
    radiance = sums.vector("MULTIPLY_ADD", into["Residual"], into[SHARE], radiance)
    beauty = sums.vector("MAXIMUM", radiance, 0.0)

    out = sums.node("NodeGroupOutput").inputs
    sums.feed(out["Beauty"], _to_working(sums, beauty))
    sums.feed(out["Albedo"], _to_working(sums, albedo))
    return tree


def _between(sums: Sums, texels: list[Socket], right: Socket, up: Socket) -> Socket:
    """Bilinear."""
    def mixed(a: Socket, b: Socket, share: Socket) -> Socket:
        return sums.vector("MULTIPLY_ADD", sums.vector("SUBTRACT", b, a), share, a)

    return mixed(mixed(texels[0], texels[1], right), mixed(texels[2], texels[3], right), up)


def _bare_transfer(sums: Sums, normal: Socket) -> list[Socket]:
    """T₀ of a normal but for its constant C0: the harmonics times 2/3 and 1/4 for a band."""
    x, y, z = sums.parts(normal)

    def times(factor: float, *parts: Value) -> Socket:
        value = parts[0]
        for part in parts[1:]:
            value = sums.number("MULTIPLY", value, part)
        return sums.number("MULTIPLY", value, factor)

    bands = sh.COSINE_BANDS / np.pi
    c1, c2 = float(sh.C1 * bands[1]), float(sh.C2 * bands[4])
    c20, c22 = float(sh.C20 * bands[6]), float(sh.C22 * bands[8])
    squares = sums.number("SUBTRACT", sums.number("MULTIPLY", x, x), sums.number("MULTIPLY", y, y))
    return [
        times(c1, y), times(c1, z), times(c1, x),
        times(c2, x, y), times(c2, y, z),
        sums.number("MULTIPLY_ADD", sums.number("MULTIPLY", z, z), 3.0 * c20, -c20),
        times(c2, x, z), times(c22, squares),
    ]


def _to_working(sums: Sums, colour: Socket) -> Socket:
    """From Rec.709 to Blender's working space, where that is another."""
    matrix = np.linalg.inv(compat.working_to_rec709())
    if np.allclose(matrix, np.eye(3), atol=1e-4):
        return colour
    return sums.joined(*(sums.vector("DOT_PRODUCT", colour, tuple(float(v) for v in row)) for row in matrix))


def sphere_group() -> bpy.types.NodeTree:
    """*ReliTalk Lit Sphere*: where a normal's light lies in the material's light picture (`live_light.tiles`)."""
    known = bpy.data.node_groups.get(SPHERE)
    if known is not None:
        return known
    tree = bpy.data.node_groups.new(SPHERE, "ShaderNodeTree")
    tree.interface.new_socket("Normal", in_out="INPUT", socket_type="NodeSocketVector")
    for name, default in (("Tile", 0.0), ("Columns", 1.0), ("Rows", 1.0), ("Size", 64.0)):
        tree.interface.new_socket(name, in_out="INPUT", socket_type="NodeSocketFloat").default_value = default
    for name in TEXELS:
        tree.interface.new_socket(name, in_out="OUTPUT", socket_type="NodeSocketVector")
    for name in ("Right", "Up"):
        tree.interface.new_socket(name, in_out="OUTPUT", socket_type="NodeSocketFloat")
    sums = Sums(tree)
    into = sums.node("NodeGroupInput").outputs
    out = sums.node("NodeGroupOutput").inputs
    size, columns, rows = into["Size"], into["Columns"], into["Rows"]
    x, y, _ = sums.parts(into["Normal"])
    half = sums.number("MULTIPLY", size, 0.5)
    last = sums.number("SUBTRACT", size, 1.0)
    row = sums.number("FLOOR", sums.number("DIVIDE", sums.number("ADD", into["Tile"], 0.5), columns))
    column = sums.number("SUBTRACT", into["Tile"], sums.number("MULTIPLY", row, columns))
    below = sums.number("SUBTRACT", sums.number("SUBTRACT", rows, 1.0), row)
    texel = {}
    for name, part in (("Right", x), ("Up", y)):
        at = sums.number("SUBTRACT", sums.number("MULTIPLY_ADD", part, half, half), 0.5)
        at = sums.number("MINIMUM", sums.number("MAXIMUM", at, 0.0), last)
        whole = sums.number("MINIMUM", sums.number("FLOOR", at), sums.number("SUBTRACT", last, 1.0))
        sums.feed(out[name], sums.number("SUBTRACT", at, whole))
        texel[name] = [sums.number("ADD", whole, centre) for centre in (0.5, 1.5)]

    def place(at: Socket, tile: Socket, tiles: Socket) -> Socket:
        return sums.number("DIVIDE", sums.number("ADD", tile, sums.number("DIVIDE", at, size)), tiles)

    v = [place(at, below, rows) for at in texel["Up"]]
    wide = sums.number("MULTIPLY", columns, float(len(KINDS)))
    for kind, name in enumerate(KINDS):
        left = sums.number("MULTIPLY_ADD", column, float(len(KINDS)), float(kind))
        u = [place(at, left, wide) for at in texel["Right"]]
        for corner in CORNERS:
            sums.feed(out[f"{name} {corner}"], sums.joined(u[int(corner[0])], v[int(corner[1])], 0.0))
    return tree
