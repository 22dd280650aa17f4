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

# The wordllama wheel holds the model that the demo and the tests export. On a machine that no wheel was built for,
# its data files are all that is needed: the code of the package is then only a yardstick that is missing.
install_wordllama() {
    pip="$environment/bin/python -m pip --quiet --disable-pip-version-check"
    if ! $pip install --only-binary wordllama --constraint "$root/constraints.txt" wordllama; then
        echo "edge-mrl: no wordllama wheel for this machine, so only its data files are used" >&2
        packages=$("$environment/bin/python" -c 'import sysconfig; print(sysconfig.get_path("purelib"))')
        $pip install --no-deps --only-binary :all: --platform manylinux_2_17_x86_64 --python-version 3.11 \
            --implementation cp --target "$packages" --upgrade --constraint "$root/constraints.txt" wordllama
    fi
}

# Debian's packages for programs that are missing; root installs them, others are told. Arguments: PROGRAM:PACKAGE,
# the program a name or the path of any file.
debian_packages() {
    missing=""
    for pair in "$@"; do
        command -v "${pair%%:*}" >/dev/null 2>&1 || [ -e "${pair%%:*}" ] || missing="$missing ${pair##*:}"
    done
    [ -n "$missing" ] || return 0
    if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null 2>&1; then
        echo "edge-mrl: missing$missing: install them (Debian packages), or run this as root" >&2
        exit 77
    fi
    echo "edge-mrl: installing$missing" >&2
    # shellcheck disable=SC2086
    apt-get install -y -qq --no-install-recommends $missing >/dev/null 2>&1 || {
        apt-get update -qq
        apt-get install -y -qq --no-install-recommends $missing >/dev/null
    }
}

make_environment() {
    prepare_environment "$@"
    [ -n "$wanted" ] || return 0
    install_wordllama
    echo "$wanted" >"$environment/installed"
}

# As make_environment, without the model that the demo and the tests export.
make_tools() {
    prepare_environment "$@"
    [ -z "$wanted" ] || echo "$wanted" >"$environment/installed"
}

# Leaves $wanted empty where everything is installed already.
prepare_environment() {
    environment="$root/.venv/$1"
    shift
    python=$(find_python) || exit 2
    # What decides the content of the environment: the requirements, the pins, the package's metadata, the interpreter.
    wanted=$( (echo "$root" "$@"; "$python" -VV; cat "$root/constraints.txt" "$root/pyproject.toml") | cksum)
    if [ "$(cat "$environment/installed" 2>/dev/null)" = "$wanted" ]; then
        wanted=""
        return
    fi
    echo "edge-mrl: installing into $environment" >&2
    rm -rf "$environment"
    "$python" -m venv "$environment"
    (cd "$root" && "$environment/bin/python" -m pip install --quiet --disable-pip-version-check \
        --constraint constraints.txt "$@")
}
