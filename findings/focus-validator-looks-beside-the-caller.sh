#!/usr/bin/env bash
# Package: focus-validator 2.2.1 from PyPI, on Python 3.12
# Expected: an installed command finds its own files from any folder
# Seen: it opens focus_validator/rules/currency_codes.csv relative to the folder that it is started in, and ends with FileNotFoundError for any file
#   that has the column BillingCurrency, unless that is its own site-packages
# Output: the error in another folder, and the totals in site-packages
# Here: the test starts it in its site-packages: tests/it/focus.rs::the_validator_accepts_the_export
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
python=python3.12
"$python" -c '' 2>/dev/null || python=$(ls "${PYENV_ROOT:-$HOME/.pyenv}"/versions/3.12*/bin/python3.12 | head -1)
"$python" -m venv env
env/bin/pip install --quiet --disable-pip-version-check focus-validator==2.2.1 'pyarrow<22'
printf 'BillingCurrency,BilledCost\nUSD,1.0\n' >data.csv
data=$PWD/data.csv
validate() { "$1" --data-file "$data" --validate-version 1.2.0.1 --block-download 2>&1; }
{ validate env/bin/focus-validator || true; } | tail -1 | tee elsewhere
grep -q 'FileNotFoundError.*currency_codes.csv' elsewhere
cd env/lib/python3.12/site-packages
validate ../../../bin/focus-validator | grep '^Total:'
