"""Write what a class needs, slides, notebooks and sheets in two languages, into a folder.

    python tools/write_lecture.py lecture-out

The documentation has the same under ``lecture/``. Slides open from the disk, without a network.
"""

from __future__ import annotations

import sys
from pathlib import Path

from lecture_export.execution import execute_parts
from lecture_export.parts import LANGUAGES, read_parts
from lecture_export.site import write_handouts


def main(folder: Path) -> None:
    parts = read_parts()
    execute_parts(parts)
    for language in LANGUAGES:
        for path, content in write_handouts(parts, language).items():
            target = folder / path
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(content if isinstance(content, bytes) else content.encode())
            if target.suffix == ".html":
                print(target)


if __name__ == "__main__":
    main(Path(sys.argv[1] if len(sys.argv) > 1 else "lecture-out"))
