"""One spelling of each account, for whoever counts tries of it. Imports nothing: Label Studio's process uses it too."""

import unicodedata


def one_spelling(name: str) -> str:
    """The name as sign-in forms take it: wide letters and ligatures are plain ones there, capitals are small."""
    return unicodedata.normalize("NFKC", name.strip()).strip().lower()
