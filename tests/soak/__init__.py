"""A soak: the whole program under all kinds of load at once, killed again and again, and every answer held against a model.

scripts/soak starts it. The model (`sums`) is the test's own: integers, added up from what was sent and answered, without a line of the
program's code. Reading order: `options`, `run` (who runs when), `lane` (sends, and sends again until answered), one file for each kind of
load (`batches`, `singles`, `holds`, `traces`, `readers`), `check` (the ledger against the model), `report` (figures against bars).

Needs Python 3.9 or newer and Linux, nothing else.
"""
