"""`python -m benchmarks [NAME ...]`: speed and fidelity on real clips, printed as tables."""

import argparse
import sys
from collections.abc import Iterator

from . import (
    addon,
    albedo,
    covered,
    fidelity,
    head,
    held_out,
    light,
    light_parts,
    live_light,
    matte,
    memory,
    pixels,
    relit,
    speed,
    voice,
    voice_pixels,
)

BENCHMARKS = {
    "sample": speed.sample,
    "train": speed.train,
    "render": speed.render,
    "reconstruction": fidelity.reconstruction,
    "outside": fidelity.outside,
    "mouth": voice_pixels.mouth,
    "scramble": fidelity.scramble,
    "head": head.head,
    "memory": memory.memory,
    "light": light.light,
    "live_light": live_light.live_light,
    "matte": matte.matte,
    "truth": relit.truth,
    "two_lights": relit.two_lights,
    "light_parts": light_parts.light_parts,
    "albedo": albedo.figures,
    "addon": addon.figures,
}
OF_A_PRESET = {"pixels": pixels.pixels, "ablations": pixels.ablations, "covered": covered.covered}
"""Those that train with a preset of choice, on clips of choice."""


def main() -> int:
    """Run the named benchmarks, or all."""
    known = [*BENCHMARKS, "voice", *OF_A_PRESET]
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(known))
    parser.add_argument("--again", action="store_true", help="train again what was trained before")
    parser.add_argument("--preset", default="draft", help="for pixels, ablations and covered (default: draft)")
    parser.add_argument(
        "--clip", action="append", default=[], choices=list(held_out.CLIPS), help="likewise; repeatable"
    )
    parser.add_argument("--hour", action="store_true", help="for voice: an hour of speech too")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in known]
    if unknown:
        parser.error(f"no benchmark {unknown[0]}; there are {', '.join(known)}")

    def lines(name: str) -> Iterator[str]:
        if name in OF_A_PRESET:
            return OF_A_PRESET[name](arguments.again, arguments.preset, arguments.clip)
        if name == "voice":
            return voice.voice(arguments.again, arguments.hour)
        return BENCHMARKS[name](arguments.again)

    for name in arguments.names or known:
        print(f"== {name}", flush=True)
        try:
            for line in lines(name):
                print(f"  {line}", flush=True)
        except FileNotFoundError as error:
            print(f"  skipped: {error}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
