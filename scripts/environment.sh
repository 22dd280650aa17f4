# Sourced by the other scripts: makes or refreshes a virtual environment with pinned versions.
#
#   make_environment NAME REQUIREMENT...   sets $environment; installs only when something it depends on changed

root=$(cd "$(dirname "$0")/.." && pwd)

find_python() {
    for candidate in "${PYTHON:-}" python3 python3.14 python3.13 python3.12 python3.11; do
        if [ -n "$candidate" ] && command -v "$candidate" >/dev/null 2>&1 &&
            "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            echo "$candidate"
            return
        fi
    done
    echo "edge-mrl: no Python 3.11 or newer was found: install one, or name it with PYTHON=" >&2
    exit 2
}

make_environment() {
    environment="$root/.venv/$1"
    shift
    python=$(find_python) || exit 2
    # What decides the content of the environment: the requirements, the pins, the package's metadata, the interpreter.
    wanted=$( (echo "$root" "$@"; "$python" -VV; cat "$root/constraints.txt" "$root/pyproject.toml") | cksum)
    if [ "$(cat "$environment/installed" 2>/dev/null)" = "$wanted" ]; then
        return
    fi
    echo "edge-mrl: installing into $environment" >&2
    rm -rf "$environment"
    "$python" -m venv "$environment"
    (cd "$root" && "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt "$@")
    if command -v after_install >/dev/null 2>&1; then
        after_install
    fi
    echo "$wanted" >"$environment/installed"
}
