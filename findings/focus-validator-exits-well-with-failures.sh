#!/usr/bin/env bash
# Package: focus-validator 2.2.1 from PyPI, on Python 3.12
# Expected: a validator that finds rules broken ends with another exit code than one that finds none, so that a pipeline stops
# Seen: it prints "Fail: 1" and more, and exits 0 all the same. Whoever checks the exit code accepts any file
# Output: the line of totals, and the exit code
# Here: the test reads the line of totals and each failure: tests/it/focus.rs::the_validator_accepts_the_export
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python=python3.12
"$python" -c '' 2>/dev/null || python=$(ls "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python3.12 | head -1)
"$python" -m venv env
env/bin/pip install --quiet --disable-pip-version-check focus-validator==2.2.1 'pyarrow<22'
printf 'BilledCost\nnot a number\n' >bad.csv
bad=$PWD/bad.csv
cd env/lib/python3.12/site-packages
code=0
../../../bin/focus-validator --data-file "$bad" --validate-version 1.2.0.1 --block-download >said 2>&1 || code=$?
grep '^Total:' said
echo "exit code $code"
[ "$code" -eq 0 ]
! grep -q '^Total:.*Fail: 0 ' said
