"""What a rendered person is made of, as Cycles' shader nodes. It takes Blender's things, and imports none."""

from __future__ import annotations

from typing import Any

import numpy as np

from .sitter import Looks


class Nodes:
    """A node tree that is put together in few words."""

    def __init__(self, owner: Any) -> None:
        if not owner.node_tree:
            owner.use_nodes = True
        self.owner, self.tree = owner, owner.node_tree
        self.tree.nodes.clear()

    def new(self, kind: str, operation: str = "", **inputs: Any) -> Any:
        """A node with its inputs linked or set."""
        node = self.tree.nodes.new("ShaderNode" + kind)
        if operation:
            node.operation = operation
        for name, value in inputs.items():
            self._put(node.inputs[name], value)
        return node

    def link(self, output: Any, there: Any) -> None:
        """One socket to another."""
        self.tree.links.new(output, there)

    def _put(self, socket: Any, value: Any) -> None:
        if hasattr(value, "is_output"):
            self.link(value, socket)
        else:
            socket.default_value = value

    def attribute(self, name: str) -> Any:
        """A value of the mesh."""
        node = self.new("Attribute")
        node.attribute_name = name
        return node

    def math(self, operation: str, a: Any, b: Any) -> Any:
        """The output of a sum or product."""
        node = self.new("Math", operation)
        self._put(node.inputs[0], a)
        self._put(node.inputs[1], b)
        return node.outputs[0]

    def noise(
        self, at: Any, scale: float, detail: float, low: float, high: float, within: tuple[float, float] = (0.25, 0.75)
    ) -> Any:
        """Noise over a position, brought from `within` to low..high."""
        noise = self.new("TexNoise", Vector=at, Scale=scale, Detail=detail)
        node = self.new("MapRange", Value=noise.outputs[0])
        for name, value in (("From Min", within[0]), ("From Max", within[1]), ("To Min", low), ("To Max", high)):
            node.inputs[name].default_value = value
        return node.outputs[0]

    def finish(self, shader: Any, opaque: float = 1.0) -> Any:
        """The material with a shader, and whether its pixels count as opaque."""
        self.new("OutputMaterial", Surface=shader.outputs[0])
        said = self.new("OutputAOV", Value=opaque)
        said.aov_name = "opaque"
        return self.owner


def skin(owner: Any, looks: Looks) -> Any:
    """Skin, from the values that the mesh brings: rest, tone, gloss, stubble."""
    tree = Nodes(owner)
    rest = tree.attribute("rest").outputs["Vector"]
    tone = tree.attribute("tone").outputs["Color"]
    mottle = tree.noise(rest, 90.0, 5.0, 0.84, 1.16)
    patches = tree.noise(rest, 28.0, 2.0, 0.90, 1.10)
    spots = tree.noise(rest, 420.0, 1.0, 1.0, 1.0 - 0.5 * looks.freckles, (0.63, 0.70))
    shade = tree.math("MULTIPLY", tree.math("MULTIPLY", mottle, patches), spots)
    beard = tree.noise(rest, 1500.0, 1.0, 0.0, 1.0, (0.42, 0.62))
    beard = tree.math("MULTIPLY", beard, tree.attribute("stubble").outputs["Fac"])
    shade = tree.math("MULTIPLY", shade, tree.math("SUBTRACT", 1.0, tree.math("MULTIPLY", beard, 0.75)))
    colour = tree.new("VectorMath", "SCALE")
    tree.link(tone, colour.inputs[0])
    tree.link(shade, colour.inputs["Scale"])
    bump = tree.new("Bump", Height=tree.noise(rest, 1100.0, 3.0, 0.0, 1.0), Strength=0.22, Distance=0.0004)
    gloss = tree.math("MULTIPLY", tree.attribute("gloss").outputs["Fac"], tree.noise(rest, 60.0, 2.0, 0.85, 1.15))
    shader = tree.new("BsdfPrincipled", Roughness=gloss, Normal=bump.outputs[0])
    tree.link(colour.outputs[0], shader.inputs["Base Color"])
    for name, value in (
        ("Subsurface Weight", 0.8), ("Subsurface Radius", (1.0, 0.36, 0.18)), ("Subsurface Scale", 0.0028),
        ("Specular IOR Level", 0.45),
    ):
        shader.inputs[name].default_value = value
    return tree.finish(shader)


def cloth(owner: Any, colour: np.ndarray) -> Any:
    """A worn weave."""
    tree = Nodes(owner)
    rest = tree.attribute("rest").outputs["Vector"]
    weave = tree.noise(rest, 900.0, 2.0, 0.0, 1.0)
    worn = tree.noise(rest, 40.0, 3.0, 0.8, 1.2)
    mix = tree.new("VectorMath", "SCALE")
    mix.inputs[0].default_value = colour
    tree.link(worn, mix.inputs["Scale"])
    folds = tree.noise(rest, 26.0, 2.0, 0.0, 1.0)
    height = tree.math("ADD", tree.math("MULTIPLY", folds, 6.0), weave)
    bump = tree.new("Bump", Height=height, Strength=0.6, Distance=0.0012)
    shader = tree.new("BsdfPrincipled", Roughness=0.85, Normal=bump.outputs[0])
    tree.link(mix.outputs[0], shader.inputs["Base Color"])
    shader.inputs["Sheen Weight"].default_value = 0.15
    return tree.finish(shader)


def teeth(owner: Any) -> Any:
    """Teeth, and gum where the mesh says so."""
    tree = Nodes(owner)
    gum = tree.attribute("gum").outputs["Fac"]
    colour = tree.new("Mix")
    colour.data_type = "RGBA"
    tree.link(gum, colour.inputs[0])
    colour.inputs[6].default_value, colour.inputs[7].default_value = (0.66, 0.60, 0.50, 1), (0.40, 0.12, 0.11, 1)
    shader = tree.new("BsdfPrincipled", Roughness=0.25)
    tree.link(colour.outputs[2], shader.inputs["Base Color"])
    shader.inputs["Subsurface Weight"].default_value = 0.4
    shader.inputs["Subsurface Scale"].default_value = 0.001
    return tree.finish(shader)


def eye(owner: Any, iris: np.ndarray) -> Any:
    """Colour by the angle to the line of sight, which is a value of each vertex."""
    tree = Nodes(owner)
    ramp = tree.new("ValToRGB", Fac=tree.attribute("angle").outputs["Fac"])
    pupil = np.full(3, 0.002)
    stops: tuple[tuple[float, Any], ...] = (
        (0.0, pupil), (0.125, pupil), (0.145, 0.8 * iris), (0.25, 1.5 * iris), (0.37, 0.9 * iris),
        (0.405, 0.25 * iris), (0.43, (0.62, 0.57, 0.54)), (0.70, (0.70, 0.64, 0.60)), (1.0, (0.5, 0.30, 0.26)),
    )  # fmt: skip
    for index, (place, colour) in enumerate(stops):
        stop = ramp.color_ramp.elements[index] if index < 2 else ramp.color_ramp.elements.new(place)
        stop.position, stop.color = place, (*colour, 1.0)
    shader = tree.new("BsdfPrincipled", Roughness=0.06)
    tree.link(ramp.outputs[0], shader.inputs["Base Color"])
    shader.inputs["Subsurface Weight"].default_value = 0.1
    shader.inputs["Subsurface Scale"].default_value = 0.001
    return tree.finish(shader)



def hair(owner: Any, melanin: float, redness: float) -> Any:
    """Strands, which have no albedo of their own."""
    tree = Nodes(owner)
    shader = tree.new("BsdfHairPrincipled")
    shader.parametrization = "MELANIN"
    for name, value in (
        ("Melanin", melanin), ("Melanin Redness", redness), ("Roughness", 0.32), ("Radial Roughness", 0.4),
        ("Random Color", 0.15), ("Random Roughness", 0.1),
    ):
        shader.inputs[name].default_value = value
    return tree.finish(shader, opaque=0.0)
