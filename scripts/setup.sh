#!/usr/bin/env bash
# Makes the virtual environment .venv with newt-bench and the given extras installed from this checkout.
#
#   scripts/setup.sh EXTRAS        for example: scripts/setup.sh dmcontrol,media,dev
#
# PYTHON names another interpreter. On Debian and Ubuntu, missing system packages are installed when run as
# root; otherwise the command to install them is printed.
set -euo pipefail
cd "$(dirname "$0")/.."
extras=${1:?usage: scripts/setup.sh EXTRAS}

# Software rendering through EGL: what frames need on a machine without a display.
system_packages=(libegl1 libegl-mesa0 libgl1-mesa-dri)

find_python() {
  local candidate
  for candidate in ${PYTHON:+"$PYTHON"} python3 python3.12 python3.11 python3.10; do
    if "$candidate" -c 'import sys; sys.exit(not (3, 10) <= sys.version_info < (3, 13))' >/dev/null 2>&1; then
      echo "$candidate"
      return
    fi
  done
  echo "error: Python 3.10, 3.11 or 3.12 is needed; install one or name it: PYTHON=/path/to/python make ..." >&2
  return 1
}

install_system_packages() {
  command -v dpkg-query >/dev/null || return 0
  local package missing=()
  for package in "$@"; do
    dpkg-query -W -f '${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" -eq 0 ]; then
    echo "installing system packages: ${missing[*]}"
    { apt-get -qq update && DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${missing[@]}"; } >/dev/null
  else
    echo "note: for rendering, install: sudo apt-get install ${missing[*]}" >&2
  fi
}

make_venv() {
  [ -x .venv/bin/pip ] && return 0
  rm -rf .venv
  if ! "$1" -c 'import ensurepip' 2>/dev/null; then
    install_system_packages "python$("$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])')-venv"
  fi
  "$1" -m venv .venv
}

python=$(find_python)
install_system_packages "${system_packages[@]}"
make_venv "$python"

# Installed already, from this pyproject.toml? Then there is nothing to do.
stamp=.venv/newt-bench-setup
state="$extras $(cksum <pyproject.toml)"
if [ "$(cat "$stamp" 2>/dev/null || true)" != "$state" ]; then
  echo "installing newt-bench[$extras] into .venv (a few minutes the first time)"
  .venv/bin/python -m pip install --quiet --upgrade pip
  .venv/bin/python -m pip install --quiet --editable ".[$extras]"
  echo "$state" >"$stamp"
fi
