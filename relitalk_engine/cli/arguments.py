"""The parser: every command and option with its help. Nothing heavy is imported to answer --help."""

from __future__ import annotations

import argparse
from typing import NoReturn

from ..config import preset_names
from ..errors import ReliTalkError
from ..version import __version__


class Parser(argparse.ArgumentParser):
    """A parser whose errors are sentences, raised rather than printed."""

    def error(self, message: str) -> NoReturn:
        """Raise what argparse found wrong.

        Raises:
            ReliTalkError: always.
        """
        raise ReliTalkError("bad_call", f"{message[:1].upper()}{message[1:]}.", f'See "{self.prog} --help".')


def build() -> Parser:
    """The whole command line."""
    parser = Parser(
        prog="relitalk",
        allow_abbrev=False,
        description=(
            "One clip of one person in; a portrait that says any audio under any light out. "
            "Train on people who agreed to it."
        ),
    )
    parser.add_argument("--version", action="version", version=f"relitalk {__version__}")
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", parser_class=Parser, required=True)

    def command(name: str, text: str) -> Parser:
        found = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        found.add_argument("--events", action="store_true", help="print one JSON object a line on stdout, for programs")
        found.add_argument(
            "--job", metavar="DIR", help="keep the same lines in DIR/events.jsonl; stop when DIR/cancel appears"
        )
        return found

    _train(command("train", "Learn a subject from a clip of one person."))
    _render(command("render", "Drive a subject with a voice and light it."))
    _relight(command("relight", "Light the clip itself, or another clip of the same person, anew."))
    _light(command("light", "Turn any light into a light file."))
    _evaluate(command("evaluate", "Measure a subject against frames whose truth is known."))
    inspect = command("inspect", "Say what a file or folder is, who made it, and from what.")
    inspect.add_argument("path", metavar="FILE|FOLDER")
    command("doctor", "Say what this machine has and what is missing.")
    demo = command("demo", "Train on the sample clip, drive it, light it twice, and say where the pictures are.")
    demo.add_argument("-o", "--output", metavar="FOLDER", default="demo", help="where to (default: demo)")
    demo.add_argument("--preset", default="draft", help="quality preset (default: draft)")
    demo.add_argument("--force", action="store_true", help="replace an earlier demo")
    _device(demo)
    return parser


def _device(parser: Parser) -> None:
    parser.add_argument(
        "--device", choices=["auto", "cpu", "cuda"], default="auto", help="where to compute (default: auto)"
    )


def _train(parser: Parser) -> None:
    names = "|".join(preset_names())
    parser.add_argument("video", metavar="VIDEO", help="a clip of one person speaking, some seconds or more")
    parser.add_argument("-o", "--output", metavar="NAME.relitalk", required=True, help="the subject to make")
    parser.add_argument(
        "--preset", metavar=f"{names}|FILE.toml", default="standard", help="quality (default: standard)"
    )
    _device(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of all random numbers (default: 0)")
    parser.add_argument("--resume", action="store_true", help="go on where an earlier run was stopped")
    parser.add_argument("--force", action="store_true", help="replace a subject that exists")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="seconds into the clip")
    parser.add_argument("--duration", type=float, metavar="S", help="seconds to learn from (default: to the end)")
    parser.add_argument(
        "--consent", choices=["yes", "no"], default="no", help="the person in the clip agreed; it is recorded"
    )


def _light_options(parser: Parser) -> None:
    group = parser.add_argument_group("LIGHT")
    group.add_argument(
        "--light",
        default="source",
        metavar="LIGHT",
        help="source | FILE.hdr | FILE.exr | FILE.json | dir:AZIMUTH,ELEVATION[,INTENSITY] | olat (default: source)",
    )
    _turn(group)


def _turn(group: argparse._ActionsContainer) -> None:
    group.add_argument(
        "--light-rotation", type=float, default=0.0, metavar="DEG", help="turn it about the vertical axis"
    )
    group.add_argument("--light-strength", type=float, default=1.0, metavar="X", help="times its radiance (default: 1)")


def _out(parser: Parser) -> None:
    group = parser.add_argument_group("OUT")
    group.add_argument("-o", "--output", metavar="TAKE", required=True, help="the take to make, a folder")
    group.add_argument(
        "--background",
        default="none",
        metavar="none|keep|IMAGE|#rrggbb",
        help="behind the portrait; none leaves it transparent (default)",
    )
    group.add_argument("--frames", metavar="A:B", help="only frames A to B-1; they keep their numbers")
    group.add_argument("--freeze", type=int, metavar="FRAME", help="hold this frame of the footage still")
    group.add_argument("--full-frame", action="store_true", help="put the portrait back into the whole source frame")
    group.add_argument("--exr", action="store_true", help="linear half-float EXR instead of PNG")
    group.add_argument("--passes", action="store_true", help="also write albedo, normal, shading and the rest as EXR")
    group.add_argument("--force", action="store_true", help="replace a take that exists")


def _render(parser: Parser) -> None:
    parser.add_argument("subject", metavar="SUBJECT", help="a trained subject's folder")
    parser.add_argument("--audio", required=True, metavar="FILE", help="what to say")
    _light_options(parser)
    group = parser.add_argument_group("BASE")
    group.add_argument(
        "--video", metavar="FILE", help="footage for head, gaze and background (default: the training clip)"
    )
    group.add_argument("--start", type=float, default=0.0, metavar="S", help="seconds into it")
    group = parser.add_argument_group("VOICE")
    group.add_argument("--transcript", metavar="FILE", help="the words, as a text file")
    group.add_argument("--motion", metavar="FILE", help="a take's motion (.npz, .json, .bvh), edited, for the mouth")
    group.add_argument(
        "--mouth", type=float, default=1.0, metavar="X", help="how wide the mouth moves, 0.5 to 1.5 (default: 1)"
    )
    group.add_argument("--smooth", type=float, default=1.0, metavar="X", help="how smoothly it moves (default: 1)")
    group.add_argument("--offset", type=float, default=0.0, metavar="MS", help="the mouth later than the sound, in ms")
    group.add_argument("--motion-only", action="store_true", help="write the motion and no frames")
    _out(parser)
    _device(parser)


def _relight(parser: Parser) -> None:
    parser.add_argument("subject", metavar="SUBJECT", help="a trained subject's folder")
    parser.add_argument("--video", metavar="FILE", help="another clip of the same person (default: the training clip)")
    parser.add_argument("--start", type=float, default=0.0, metavar="S", help="seconds into it")
    _light_options(parser)
    _out(parser)
    _device(parser)


def _light(parser: Parser) -> None:
    parser.add_argument(
        "light", metavar="LIGHT", help="FILE.hdr, FILE.exr, FILE.json or dir:AZIMUTH,ELEVATION[,INTENSITY]"
    )
    _turn(parser)
    parser.add_argument("-o", "--output", metavar="light.json", required=True, help="the light file to make")
    parser.add_argument("--preview", metavar="sphere.png", help="also a picture of a sphere under it")
    parser.add_argument("--force", action="store_true", help="replace files that exist")


def _evaluate(parser: Parser) -> None:
    parser.add_argument("subject", metavar="SUBJECT", help="a trained subject's folder")
    parser.add_argument(
        "--against", required=True, metavar="DIR", help="test clip, relit frames and passes of the same person"
    )
    parser.add_argument("--json", metavar="FILE", help="also keep the figures in a file")
    _device(parser)
