"""What the browser's half of an upload says, in the language of the page."""

from __future__ import annotations

import json
from typing import Dict

from django.utils.functional import Promise
from django.utils.translation import gettext_lazy as _

__all__ = ["TEXTS", "texts_as_json"]

#: The only list of these texts: the script has keys alone. It puts values in place of ``{name}``
#: (of the file), ``{size}``, ``{loaded}``, ``{total}`` and ``{time}``, each with its unit.
TEXTS: Dict[str, Promise] = {
    "drop": _("Drop a file here, or choose one"),
    "dropSeveral": _("Drop files here, or choose them"),
    "limit": _("Up to {size}"),
    "queued": _("Waiting for other uploads"),
    "preparing": _("Preparing…"),
    "amount": _("{loaded} of {total}"),
    "left": _("{time} left"),
    "waiting": _("Connection lost. Trying again…"),
    "paused": _("Paused"),
    "finishing": _("Almost done…"),
    "done": _("Uploaded"),
    "pause": _("Pause {name}"),
    "resume": _("Continue {name}"),
    "retry": _("Try {name} again"),
    "cancel": _("Cancel {name}"),
    "remove": _("Remove {name}"),
    "discard": _("Discard it"),
    "started": _("Uploading {name}"),
    "uploaded": _("{name} has been uploaded"),
    "cancelled": _("The upload of {name} was cancelled"),
    "removed": _("{name} was removed"),
    "interrupted": _(
        "The upload of {name} was interrupted. Choose the same file again to continue it."
    ),
    "empty": _("This file is empty."),
    "tooLarge": _("This file is larger than {size}, the most that is allowed."),
    "wrongType": _("Files of this type are not accepted here."),
    "onlyOne": _("Only one file can be uploaded here."),
    "unreadable": _("This file cannot be read. Choose it again."),
    "network": _("The file did not arrive. Check your connection and try again."),
    "server": _("The server cannot take this file at the moment. Try again later."),
    "submitLater": _("The form will be sent as soon as the uploads are done."),
    "submitFailed": _("A file was not uploaded. Try it again or remove it, then send the form."),
}


def texts_as_json() -> str:
    """The texts in the active language, for the attribute ``data-texts`` of the widget."""
    return json.dumps({key: str(text) for key, text in TEXTS.items()}, ensure_ascii=False)
