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

# The Pythons that the agent supports, the oldest first; tests hold pyproject.toml and the README to this line.
PYTHONS="3.11 3.12 3.13"
# The oldest C library that the wheels are made for: RHEL 8 and its relatives.
GLIBC=2.28

# version_of PYTHON: its 3.x, or nothing when it does not run.
version_of() { "$1" -c 'import sys; print("%d.%d" % sys.version_info[:2])' 2>/dev/null; }

# find_python VERSIONS: print a Python of one of these versions; the system's own is as good as one on PATH.
find_python() {
    local candidate version wanted=$1
    local -a named=()
    for version in $wanted; do named=("python$version" "/usr/bin/python$version" ${named[@]+"${named[@]}"}); done
    for candidate in "${PYTHON:-}" python3 /usr/bin/python3 "${named[@]}"; do
        [[ -n $candidate ]] || continue
        version=$(version_of "$candidate") || continue
        if [[ " $wanted " == *" $version "* ]]; then
            command -v "$candidate"
            return 0
        fi
    done
    return 1
}

# os_fact NAME: one word of /etc/os-release, without its quotes.
os_fact() { { sed -n "s/^$1=//p" "${OS_RELEASE:-/etc/os-release}" 2>/dev/null || true; } | tail -n 1 | tr -d "\"'"; }

# how_to_get_python: the command of this distribution that brings a supported Python with its venv.
how_to_get_python() {
    local id version like
    id=$(os_fact ID) version=$(os_fact VERSION_ID) like=$(os_fact ID_LIKE)
    local none="this release has no Python of ${PYTHONS// /, }: use a newer one, or name another with PYTHON=/opt/.../bin/python3"
    case $id:${version%%.*} in
        rhel:8 | almalinux:8 | rocky:8 | ol:8 | centos:8 | rhel:9 | almalinux:9 | rocky:9 | ol:9 | centos:9)
            echo "dnf install python3.11" ;;  # since 8.8 and 9.2
        amzn:2023) echo "dnf install python3.11" ;;
        rhel:7 | centos:7 | ol:7 | amzn:2) echo "$none" ;;
        rhel:* | almalinux:* | rocky:* | ol:* | centos:*) echo "dnf install python3" ;;  # 10: 3.12
        fedora:*) echo "dnf install python3.13" ;;
        debian:10 | debian:11) echo "$none" ;;
        debian:*) echo "apt-get install python3 python3-venv" ;;  # 12: 3.11, 13: 3.13
        ubuntu:22) echo "apt-get install python3.11 python3.11-venv" ;;  # universe; its own is 3.10
        ubuntu:14 | ubuntu:16 | ubuntu:18 | ubuntu:20) echo "$none" ;;
        ubuntu:*) echo "apt-get install python3 python3-venv" ;;  # 24.04: 3.12
        sles:12 | sled:12) echo "$none" ;;
        sles:15 | sled:15 | sle_hpc:15 | opensuse-leap:15) echo "zypper install python311" ;;  # Python 3 module, from SP4
        sles:* | opensuse-leap:* | opensuse-tumbleweed:*) echo "zypper install python313" ;;
        alpine:*) echo "use a distribution with glibc $GLIBC or newer: there are no wheels for musl" ;;
        *)
            case " $like " in
                *' rhel '* | *' fedora '* | *' centos '*) echo "dnf install python3.11" ;;
                *' ubuntu '* | *' debian '*) echo "apt-get install python3 python3-venv" ;;
                *' suse '* | *' sles '* | *' opensuse '*) echo "zypper install python311" ;;
                *) echo "install Python ${PYTHONS// /, } with its venv module by this machine's package manager" ;;
            esac ;;
    esac
}

# how_to_get_venv VERSION: the package with the venv of a Python that is there.
how_to_get_venv() {
    if command -v apt-get >/dev/null; then
        # Debian's and Ubuntu's name with the version is there for each of their Pythons.
        echo "apt-get install python$1-venv"
    else
        how_to_get_python
    fi
}

# os_name: what this system calls itself.
os_name() {
    local name
    name=$(os_fact PRETTY_NAME)
    echo "${name:-this system}"
}

# no_python: ends with the sentence for a machine without a supported Python.
no_python() {
    local have why
    why="$(os_name) has no python3"
    if have=$(version_of python3); then why="python3 of $(os_name) is $have"; fi
    fail "There is no Python ${PYTHONS// /, } on this machine." "$why" "$(how_to_get_python)"
}

# glibc_of_this_machine: like 2.36; nothing where the C library is another (musl).
glibc_of_this_machine() { getconf GNU_LIBC_VERSION 2>/dev/null | sed -n 's/^glibc //p'; }

# older A B: whether version A is older than B.
older() { [[ $1 != "$2" && $(printf '%s\n%s\n' "$1" "$2" | sort -V | head -n 1) == "$1" ]]; }

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
