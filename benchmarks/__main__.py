"""`python -m benchmarks [NAME ...]`: speed and fidelity on real clips, printed as tables."""

import argparse
import sys

from . import addon, head, held_out, light, live_light, matte, memory, pixels, speed, voice, voice_pixels

BENCHMARKS = {
    "sample": speed.sample,
    "train": speed.train,
    "render": speed.render,
    "reconstruction": pixels.reconstruction,
    "outside": pixels.outside,
    "mouth": voice_pixels.mouth,
    "scramble": pixels.scramble,
    "head": head.head,
    "memory": memory.memory,
    "voice": voice.voice,
    "light": light.light,
    "live_light": live_light.live_light,
    "matte": matte.matte,
    "held_out": held_out.figures,
    "ablations": held_out.ablations,
    "truth": pixels.truth,
    "addon": addon.figures,
}


def main() -> int:
    """Run the named benchmarks, or all."""
    parser = argparse.ArgumentParser(prog="benchmarks", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(BENCHMARKS))
    parser.add_argument("--again", action="store_true", help="train again what was trained before")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.names if name not in BENCHMARKS]
    if unknown:
        parser.error(f"no benchmark {unknown[0]}; there are {', '.join(BENCHMARKS)}")
    for name in arguments.names or BENCHMARKS:
        print(f"== {name}", flush=True)
        try:
            for line in BENCHMARKS[name](arguments.again):
                print(f"  {line}", flush=True)
        except FileNotFoundError as error:
            print(f"  skipped: {error}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
