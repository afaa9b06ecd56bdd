#!/usr/bin/env bash
# Make docs/sample anew from the example: report.json, report.html, report.pdf and page one as a picture (needs pdftoppm).
set -euo pipefail
cd "$(dirname "$0")/.."
make audit
mkdir -p docs/sample
cp build/credit/report/report.json build/credit/report/report.html build/credit/report/report.pdf docs/sample/
pdftoppm -png -r 96 -f 1 -l 1 -singlefile docs/sample/report.pdf docs/sample/page1
ls -l docs/sample
