"""The size of the image built here on a local base, with the operator's share and the base's share apart."""

import tempfile
from pathlib import Path

from benchmarks.figures import Figures, say
from benchmarks.options import Options
from sandbox.images import Builder, ImageError


def measure(hosts: Path, options: Options, figures: Figures) -> None:
    """Measure all figures of this group; none, with a message, where no image can be built."""
    with tempfile.TemporaryDirectory(prefix="secure-redis-bench-") as scratch:
        try:
            builder = Builder(Path(scratch) / "buildah")
        except ImageError as error:
            say(f"no image is built: {error}")
            return
        try:
            built = builder.build()
        finally:
            builder.remove()
    base = f"{(built.size - built.own_size) / 2**20:.0f} MiB of the local base beside it (Python, and what it needs)"
    figures.report("image: packages and our own code, unpacked", built.own_size / 2**20, "MiB", compared_to=base)
    figures.report("image: layers", built.layers, "layers", compared_to="one of them is the base's")
