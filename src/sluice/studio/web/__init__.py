"""What pages and the API share: the visitor, the studio's parts, templates and languages."""

import sluice.studio.web.addresses  # noqa: F401 - teaches routes what `{…:number}` is
