#!/usr/bin/env bash
# The whole example: train, register, audit. `run.sh OUT`; python and qaudit come from PATH.
# Succeeds where every limit was decided, met or not (exit codes 0 and 1 of qaudit). Where one could not be assessed or shown with
# these rows (2), the report is verified and named all the same, and the script ends with 2.
set -euo pipefail
here=$(cd "$(dirname "$0")" && pwd)
out=${1:-out}
rm -rf "$out"
mkdir -p "$out"
export QAUDIT_HOME=${QAUDIT_HOME:-$(cd "$out" && pwd)/registry}

python "$here/train.py" "$out"

qaudit register credit "$out/model.skops" --holdout "$out/holdout.csv" --target deny \
    --train "$out/train.csv" --positive yes --groups afam,single

formats=html,pdf
if ! python -c 'import weasyprint' >/dev/null 2>&1; then
    echo "no PDF engine here, HTML and JSON only; for PDF: apt-get install libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0" >&2
    formats=html
fi

code=0
qaudit run "$here/audit.toml" -o "$out/report" --format "$formats" || code=$?
if [ ! -e "$out/report/seal.json" ]; then
    exit "$code" # refused: there is no report
fi
qaudit verify "$out/report"
echo "report: $out/report/report.html (exit code of the audit: $code)"
if [ "$code" -gt 1 ]; then
    exit "$code"
fi
