"""What each command does: check, call the pipeline, say where the results are."""

from __future__ import annotations

import argparse
from collections.abc import Callable
from pathlib import Path
from typing import Any

from .. import folders
from ..errors import MACHINE, ReliTalkError
from ..events import Reporter
from .stopping import Stop

Result = dict[str, Any]


def run(arguments: argparse.Namespace, reporter: Reporter, stop: Stop) -> Result:
    """Run one parsed command.

    Args:
        arguments: what the parser found.
        reporter: whom to tell.
        stop: what to throw away when the work is left in the middle of a step.

    Returns:
        What the `done` event says.

    Raises:
        ReliTalkError: the input, the call or the machine is wrong.
        Cancelled: the user asked to stop.
    """
    result = COMMANDS[arguments.command](arguments, reporter, stop)
    if not reporter.events:
        reporter.close()
        for line in result.pop(
            "lines", [f"{name}: {value}" for name, value in result.items() if isinstance(value, str)]
        ):
            print(line)
    return result


def train(arguments: argparse.Namespace, reporter: Reporter, _: Stop) -> Result:
    """`relitalk train`."""
    from . import checks

    options = checks.train_options(arguments)
    if not options.consent:
        reporter.warning("No consent is recorded. Train on people who agreed to it, and say so with --consent yes.")
    from ..pipeline import train as stage

    return stage.train(options, reporter=reporter)


def render(arguments: argparse.Namespace, reporter: Reporter, stop: Stop) -> Result:
    """`relitalk render`."""
    from . import checks

    options = checks.render_options(arguments)
    stop.scratch.append(folders.building_place(options.output))
    from ..pipeline import render as stage

    return stage.render(options, reporter=reporter)


def relight(arguments: argparse.Namespace, reporter: Reporter, stop: Stop) -> Result:
    """`relitalk relight`."""
    from . import checks

    options = checks.relight_options(arguments)
    stop.scratch.append(folders.building_place(options.output))
    from ..pipeline import relight as stage

    return stage.relight(options, reporter=reporter)


def light(arguments: argparse.Namespace, reporter: Reporter, _: Stop) -> Result:
    """`relitalk light`."""
    from ..lighting import lit_sphere, rigs

    found = rigs.load_light(arguments.light, arguments.light_rotation, arguments.light_strength)
    if "warning" in found.source:
        reporter.warning(str(found.source["warning"]))
    output = Path(arguments.output)
    if output.suffix != ".json":
        raise ReliTalkError("bad_call", f"The light file's name is {output}.", "It must end in .json.")
    folders.check_place(output, arguments.force, "light")
    if arguments.preview:
        if Path(arguments.preview).suffix.lower() != ".png":
            raise ReliTalkError("bad_call", f"The preview's name is {arguments.preview}.", "It must end in .png.")
        folders.check_place(Path(arguments.preview), arguments.force, "preview")
    output.parent.mkdir(parents=True, exist_ok=True)
    found.save(output)
    result: Result = {"light": str(output)}
    if arguments.preview:
        from ..media import images

        picture = Path(arguments.preview)
        images.write_png(picture, lit_sphere.preview(found, 256), {"Comment": f"A sphere under {arguments.light}"})
        reporter.preview(picture)
        result["preview"] = str(picture)
    return result


def evaluate(arguments: argparse.Namespace, reporter: Reporter, _: Stop) -> Result:
    """`relitalk evaluate`."""
    from ..machine import choose_device
    from . import checks

    found = checks.subject(arguments.subject)
    against = Path(arguments.against)
    if not against.is_dir():
        raise ReliTalkError(
            "no_folder", f"There is no folder at {against}.", "Name a folder with test clip and relit frames."
        )
    if arguments.json:
        folders.check_place(Path(arguments.json), True, "figures")
    from ..evaluate import tables

    pictures = Path(arguments.json).with_suffix("") if arguments.json else None
    figures = tables.evaluate(found, against, choose_device(arguments.device), reporter=reporter, pictures=pictures)
    if arguments.json:
        folders.write_json(Path(arguments.json), figures.to_json())
    return {"figures": figures.to_json(), "lines": figures.lines()}


def inspect(arguments: argparse.Namespace, _: Reporter, __: Stop) -> Result:
    """`relitalk inspect`."""
    from . import describe

    facts = describe.describe(Path(arguments.path))
    return {"facts": facts, "lines": describe.lines(facts)}


def doctor(_: argparse.Namespace, reporter: Reporter, __: Stop) -> Result:
    """`relitalk doctor`."""
    from . import diagnosis

    found = diagnosis.look()
    if found.problems:
        for line in found.lines if not reporter.events else []:
            print(line)
        raise ReliTalkError(
            "missing_part",
            f"This machine lacks something: {'; '.join(found.problems)}.",
            "Install the engine again.",
            MACHINE,
        )
    return {"ok": True, "words": found.lines, "lines": found.lines}


def demo(arguments: argparse.Namespace, reporter: Reporter, stop: Stop) -> Result:
    """`relitalk demo`."""
    from ..config import load_preset
    from ..machine import choose_device
    from . import demo as show

    folder = Path(arguments.output)
    if folder.exists() and not arguments.force and any(folder.iterdir() if folder.is_dir() else [folder]):
        raise ReliTalkError(
            "exists", f"There is something at {folder} already.", "Name another place with -o, or add --force."
        )
    return show.run(folder, load_preset(arguments.preset), choose_device(arguments.device), stop, reporter=reporter)


COMMANDS: dict[str, Callable[[argparse.Namespace, Reporter, Stop], Result]] = {
    "train": train,
    "render": render,
    "relight": relight,
    "light": light,
    "evaluate": evaluate,
    "inspect": inspect,
    "doctor": doctor,
    "demo": demo,
}
