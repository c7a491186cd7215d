"""From a file or folder to sequences: what it holds, what was refused, and how it is split."""

from sluice.sequence.data.formats import Format as Format
