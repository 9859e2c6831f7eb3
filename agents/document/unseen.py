"""What whoever opens a document does not see: it is not read, since who hides a text means it for somebody else.

Only what the document itself says of a place is looked at; a page's style sheets are not worked out.
"""

import re
from typing import Any

_UNSEEN = re.compile(r"(?:^|;)(?:display:none|visibility:(?:hidden|collapse)|(?:font-size|opacity):0+(?:\.0*)?[a-z%]*)(?:!|;|$)")
_HIDDEN_RUN = ".//w:r[w:rPr/w:vanish[not(@w:val='0' or @w:val='false')]]"


def without_hidden_nodes(tree: Any) -> None:
    """Take away the parts of a page that its `hidden` or `style` attributes hide; `tree` is selectolax's."""
    for node in tree.css("[hidden], [style]"):
        style = "".join((node.attributes.get("style") or "").lower().split())
        if "hidden" in node.attributes or _UNSEEN.search(style):
            node.decompose()


def without_hidden_runs(body: Any) -> None:
    """Take away the runs of a Word document that are marked as hidden; `body` is python-docx's element."""
    for run in body.xpath(_HIDDEN_RUN):
        run.getparent().remove(run)


def is_shown(sheet: Any) -> bool:
    """Say whether a sheet of a workbook is shown; `sheet` is openpyxl's."""
    return bool(sheet.sheet_state == "visible")
