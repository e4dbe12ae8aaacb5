# shellcheck shell=bash
# What the scripts share: words for people, finding Python, Debian packages, pip. Sourced, never run.

# Progress goes to standard error, so that a script's answer on standard output stays clean.
say() { printf '%s: %s\n' "$(basename "$0")" "$*" >&2; }

# fail WHAT [WHY] [DO] [CODE]: three facts, then the end.
fail() {
    printf '%s: %s\n' "$(basename "$0")" "$1" >&2
    [[ -z ${2:-} ]] || printf '  Why: %s\n' "$2" >&2
    [[ -z ${3:-} ]] || printf '  Do: %s\n' "$3" >&2
    exit "${4:-1}"
}

# usage SCRIPT: the comment at the top of a script is its help.
usage() { awk 'NR > 1 && !/^#/ { exit } NR > 1 { sub(/^# ?/, ""); print }' "$1"; }

# find_python: print a Python 3.11 or newer; the system's own is as good as one on PATH.
find_python() {
    local candidate
    for candidate in "${PYTHON:-}" python3 /usr/bin/python3 python3.14 python3.13 python3.12 python3.11; do
        if [[ -n $candidate ]] && "$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# install_debian_packages NAME...: installs as root, else ends with the command to run.
install_debian_packages() {
    local command="apt-get install --no-install-recommends $*"
    if (( EUID != 0 )); then
        fail "Debian packages are missing: $*" "installing them needs root" "sudo $command"
    fi
    command -v apt-get >/dev/null || fail "Packages are missing: $*" "this machine has no apt-get" \
        "install them with this machine's own package manager"
    say "installing Debian packages: $*"
    local log
    log=$(mktemp)
    # A machine that has just started may have no package list yet, and another apt may hold the lock.
    local -a apt=(apt-get -o DPkg::Lock::Timeout=300 -o Acquire::Retries=3)
    # Services that a package would start are not wanted: every test starts its own, on its own port.
    if ! { "${apt[@]}" update && DEBIAN_FRONTEND=noninteractive SYSTEMD_OFFLINE=1 \
        "${apt[@]}" install --yes --no-install-recommends "$@"; } > "$log" 2>&1 < /dev/null; then
        tail -n 15 "$log" >&2
        rm -f "$log"
        fail "Debian packages could not be installed: $*" "see the lines above" "$command"
    fi
    rm -f "$log"
}

# pip_install PYTHON ARGUMENT...: says nothing but errors.
pip_install() {
    local python=$1
    shift
    "$python" -m pip install --quiet --quiet --disable-pip-version-check --no-input --no-warn-script-location "$@"
}
