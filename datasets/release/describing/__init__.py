"""What a release says of itself: its card, tables, folds, change log, and the script that turns it into other layouts.

`texts` lists every such file. The card is made once, of `blocks`, in parts: `card`, `cohort` (who, with figures),
`making` (how images and masks came about), `using` (how to verify and load); `markdown` and `card_page` write it.
`case_facts` reads what its numbers come from, `changes` compares with the version before, `about` reads what the
publisher says, `convert` is shipped as it is.

Imports `datasets.release.verification`.
"""
