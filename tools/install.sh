#!/bin/sh
# Make the environment .venv: torch in the build that was asked for, then the package and its tools.
# `make setup` calls this; it says there what TORCH_BACKEND and TORCH mean.
set -eu
cd "$(dirname "$0")/.."

python=${PYTHON:-python3}
backend=${TORCH_BACKEND:-cpu}
choice=${TORCH:-}
pip=".venv/bin/python -m pip --disable-pip-version-check -qq"

say() { printf 'setup: %s\n' "$*"; }
fail() { say "$*" >&2; exit 1; }
pinned() { sed -n "s/^\($1==.*\)/\1/p" constraints.txt; }

# Succeeds if the package index that pip uses offers torch without the CUDA libraries: on macOS, on
# Windows, and where somebody has put CPU builds.
index_offers_cpu_build() {
    $pip install --dry-run --report - "$(pinned torch)" | .venv/bin/python -c '
import json, sys
names = [item["metadata"]["name"].lower() for item in json.load(sys.stdin)["install"]]
sys.exit(any(name.startswith(("nvidia-", "cuda-")) for name in names))'
}

case $backend in cpu | cuda) ;; *) fail "TORCH_BACKEND is '$backend'; it can be cpu or cuda." ;; esac
"$python" -c 'import sys; sys.exit(sys.version_info < (3, 11))' ||
    fail "$python is $("$python" --version 2>&1); Python 3.11 or later is needed (make setup PYTHON=...)."

say "making .venv"
[ -x .venv/bin/python ] || "$python" -m venv .venv
$pip install "$(pinned pip)"

# Words of TORCH are arguments of pip, so they are not quoted below.
if [ -n "$choice" ]; then
    say "installing $choice"
    $pip install $choice torchvision
elif $pip show torchvision; then
    say "keeping the torch that is there"
elif [ "$backend" = cuda ]; then
    say "installing $(pinned torch) with CUDA: several GB, this takes a while"
    $pip install "$(pinned torch)" "$(pinned torchvision)"
elif index_offers_cpu_build; then
    say "installing $(pinned torch)"
    $pip install "$(pinned torch)"
    $pip install -c constraints.txt "$(pinned torchvision)"
else
    say "installing $(pinned torch), the CPU build"
    $pip install "$(pinned uv)"
    .venv/bin/uv pip install --quiet --python .venv/bin/python --torch-backend cpu \
        "$(pinned torch)" "$(pinned torchvision)" ||
        fail "no CPU build of torch could be had; choose one with TORCH='...' or TORCH_BACKEND=cuda."
fi

say "installing the package and its tools"
grep -v '^torch' constraints.txt >.venv/constraints.txt
$pip install -c .venv/constraints.txt -e '.[workflow,test,lint]'
