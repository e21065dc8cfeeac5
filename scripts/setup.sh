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
system_packages=(libegl1 libegl-mesa0 libgl1 libgl1-mesa-dri)

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

# ManiSkill builds its scenes with Vulkan. For machines without a graphics card that is Mesa's lavapipe, from 24.3 on;
# Debian 12 has that among its backports. Mesa's EGL and OpenGL must be of the same version, so they come along.
lavapipe_packages=(mesa-vulkan-drivers libvulkan1 libegl-mesa0 libgl1-mesa-dri libgbm1)

recent_mesa() {
  [ -n "$1" ] && [ "$1" != "(none)" ] && dpkg --compare-versions "$1" ge 24.3
}

install_lavapipe() {
  case ",$1," in *,maniskill,* | *,all,*) ;; *) return 0 ;; esac
  command -v dpkg-query >/dev/null || return 0
  install_system_packages libglib2.0-0 # for OpenCV, which ManiSkill imports
  recent_mesa "$(dpkg-query -W -f '${Version}' mesa-vulkan-drivers 2>/dev/null || true)" && return 0
  local candidate suite options=()
  suite="$(. /etc/os-release && echo "${VERSION_CODENAME:-}")-backports"
  if [ "$(id -u)" -ne 0 ]; then
    echo "note: ManiSkill needs Mesa 24.3 or later, here perhaps from $suite; install: ${lavapipe_packages[*]}" >&2
    return 0
  fi
  apt-get -qq update >/dev/null
  candidate=$(apt-cache policy mesa-vulkan-drivers | awk '/Candidate:/ { print $2 }')
  if ! recent_mesa "$candidate"; then
    add_backports "$suite" || return 0
    options=(-t "$suite")
  fi
  echo "installing system packages: ${lavapipe_packages[*]}"
  DEBIAN_FRONTEND=noninteractive apt-get -qq install -y --no-install-recommends "${options[@]}" "${lavapipe_packages[@]}" >/dev/null
}

# Makes the suite available from where this machine gets Debian itself.
add_backports() {
  local suite=$1 uri keyring=/usr/share/keyrings/debian-archive-keyring.gpg file="/etc/apt/sources.list.d/$1.sources"
  uri=$(apt-get indextargets --format '$(REPO_URI) $(RELEASE)' 'Created-By: Packages' 'Component: main' |
    awk -v release="${suite%-backports}" '$2 == release { print $1; exit }')
  if [ -n "$uri" ] && [ ! -e "$file" ]; then
    printf 'Types: deb\nURIs: %s\nSuites: %s\nComponents: main\n' "$uri" "$suite" >"$file"
    [ ! -e "$keyring" ] || printf 'Signed-By: %s\n' "$keyring" >>"$file"
    apt-get -qq update >/dev/null 2>&1 || { rm -f "$file" && apt-get -qq update >/dev/null; }
  fi
  if ! recent_mesa "$(apt-cache madison mesa-vulkan-drivers | awk -v suite="$suite" '$0 ~ suite { print $3; exit }')"; then
    echo "note: ManiSkill needs Mesa 24.3 or later, and $suite has none; its tasks will not run without a graphics card" >&2
    return 1
  fi
}

# The tests open the leaderboard's page in a real browser.
install_browser() {
  case ",$1," in *,dev,*) ;; *) return 0 ;; esac
  command -v dpkg-query >/dev/null || return 0
  command -v chromedriver >/dev/null && return 0
  if [ "$(id -u)" -ne 0 ] || ! install_system_packages chromium chromium-driver; then
    echo "note: the tests of the leaderboard's page need a browser; install: chromium chromium-driver" >&2
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
install_lavapipe "$extras"
install_browser "$extras"
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
