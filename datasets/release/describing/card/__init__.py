"""The card of a release, which BIDS calls its README: made once of `blocks`, written by `markdown` and by `page`.

`sections` puts it together of its parts: `cohort` (who, with figures), `images`, `masks` (with the protocol in words),
`using` (how to verify and load).
"""
