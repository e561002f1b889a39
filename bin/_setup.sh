# Sourced by the commands in bin/: makes a virtual environment and installs the pinned requirements, where that is
# still to be done. What runs the system lives in .venv; what tests and measures it lives in .venv-dev, so that no test
# changes the packages of a running system.
#
#   set_up .venv requirements.txt ...   sets $python, or ends with one line on stderr and exit code 2
#
# What .venv remembers, so that a start which finds everything in place only compares:
#   .venv/.whole              project root, base interpreter, $PYTHON; not there while anything is under way
#   .venv/.installed/<file>   each requirements file as it was installed
# shellcheck shell=bash
set -u

root=${BASH_SOURCE[0]%/bin/_setup.sh}
me=${0##*/}
# Installs four times as fast as pip; used where its wheel can be had.
uv=uv==0.13.9
# Modules that the system seldom imports, and their packages' own tests: two thirds of all there is to compile.
seldom='/(tests?|testing|SelfTest|lexers|styles|formatters|i18n|legacy|trio|v1|f2py|distutils|polynomial|plugins|playhouse'
seldom+='|apprise|graph_objs|validators|express|figure_factory|matplotlylib|narwhals|pyarrow|joblib|telegram|oauthlib'
seldom+='|markdown|Cipher|Hash|PublicKey|babel|material|mypy|mypyc|pip|setuptools|pkg_resources)/'
network_trouble='^(Could not fetch URL|WARNING: Retrying|ERROR: |pip\._vendor\.).*([Cc]onnection|[Tt]imed? ?out|unreachable'
network_trouble+='|NameResolution|ProxyError|SSLError|ProtocolError|IncompleteRead|incomplete-download|Server Error)'

# The project's root, and not the user's directory: no file of theirs can stand in for one of ours or of a library.
export PYTHONPATH=$root PYTHONSAFEPATH=1
unset PYTHONHOME
# The C library would keep memory apart for each of many threads, and give little of it back.
export MALLOC_ARENA_MAX=${MALLOC_ARENA_MAX:-2}

say() {
    printf '%s: %s\n' "$me" "$*" >&2
}

fail() {
    say "$*"
    exit 2
}

# Prints of an interpreter: its version, old or new enough, whether it can make a venv, where it really is.
describe() {
    "$1" -E -s -c '
import sys
sys.path = [entry for entry in sys.path if entry]
try:
    import ensurepip, venv
    able = "able"
except ImportError:
    able = "unable"
age = "new" if sys.version_info >= (3, 11) else "old"
print("%d.%d %s %s %s" % (sys.version_info[0], sys.version_info[1], age, able, sys.executable))
' 2>/dev/null </dev/null
}

# Sets $base to the first interpreter that is new enough and can make a venv; the versions we test on come first.
find_base() {
    local candidates=(python3.13 python3.12 python3.11 python3)
    local candidate version age able executable old='' unable=''
    [[ -z ${PYTHON:-} ]] || candidates=("$PYTHON")
    for candidate in "${candidates[@]}"; do
        read -r version age able executable <<<"$(describe "$candidate")"
        case "$age $able" in
            'new able') base=$executable && return ;;
            'new unable') unable=${unable:-$executable} ;;
            old*) old=${old:-"$version ($executable)"} ;;
        esac
    done
    [[ -z $unable ]] ||
        fail "$unable cannot make a virtual environment; on Debian or Ubuntu: apt-get install python3-venv"
    [[ -z ${PYTHON:-} || -n $old ]] || fail "needs Python 3.11 or newer, but PYTHON=$PYTHON does not run"
    fail "needs Python 3.11 or newer, found ${old:-none}; install one, or name it: PYTHON=/path/to/python3"
}

# Whether $venv was finished, in this place, and its interpreter is still there and the one asked for.
is_whole() {
    local home real
    choice=''
    { read -r home && read -r real && read -r choice; } 2>/dev/null <"$venv/.whole" || return 1
    [[ $home == "$root" && $python -ef $real && ${PYTHON:-$choice} == "$choice" ]]
}

is_installed() {
    local file
    for file in "$@"; do
        [[ -r $venv/.installed/$file && $(<"$root/$file") == "$(<"$venv/.installed/$file")" ]] || return 1
    done
}

mark_whole() {
    printf '%s\n' "$root" "$(readlink -f -- "$python")" "${PYTHON:-$choice}" >"$venv/.whole" ||
        fail "cannot write in $venv"
}

make_venv() {
    local output
    rm -rf "$venv" 2>/dev/null || fail "cannot remove $venv; remove it and start again"
    output=$("$base" -I -m venv --without-pip "$venv" 2>&1 </dev/null) || fail "cannot make $venv: ${output##*$'\n'}"
    unpack_pip 2>/dev/null || output=$("$python" -I -m ensurepip 2>&1 </dev/null) ||
        fail "cannot make $venv: ${output##*$'\n'}"
}

# Puts pip's wheel where it is imported from, as ensurepip does, which takes seconds: it compiles all of pip first.
unpack_pip() {
    "$python" -I -c '
import ensurepip, pathlib, sysconfig, zipfile
places = [sysconfig.get_config_var("WHEEL_PKG_DIR"), pathlib.Path(ensurepip.__file__).parent / "_bundled"]
(wheel,) = [wheel for place in places if place for wheel in pathlib.Path(place).glob("pip-*.whl")][:1]
zipfile.ZipFile(wheel).extractall(sysconfig.get_path("purelib"))
' </dev/null
}

# Tells a terminal that the install goes on, until it is killed or the start itself has ended, whichever way.
show_seconds() {
    local seconds=0
    [[ -t 2 ]] || return 0
    trap 'printf "\r\e[K" >&2; exit 0' TERM
    while sleep 1 && kill -0 $$ 2>/dev/null; do
        printf '\r%s: %d s ...' "$me" $((++seconds)) >&2
    done
}

stop_ticker() {
    kill "$ticker" 2>/dev/null
    wait "$ticker" 2>/dev/null
}

# Fails wherever pip may fare better or, at least, say why: no wheel, an index that only pip knows, no network.
install_by_uv() {
    local log=$1 tools=$venv/.uv status place places=()
    shift
    "$python" -I -m pip install -q --no-input --disable-pip-version-check --no-compile --no-deps --only-binary :all: \
        --target "$tools" "$uv" >"$log" 2>&1 </dev/null || return
    # uv does not read pip's settings.
    [[ -z ${PIP_NO_INDEX:-} ]] || places+=(--no-index)
    [[ -z ${PIP_INDEX_URL:-} ]] || places+=(--default-index "$PIP_INDEX_URL")
    for place in ${PIP_FIND_LINKS:-}; do
        places+=(--find-links "$place")
    done
    [[ -z ${PIP_CERT:-} ]] || local -x SSL_CERT_FILE=$PIP_CERT
    "$tools/bin/uv" pip install --no-config --python "$python" "${places[@]}" "$@" >>"$log" 2>&1 </dev/null
    status=$?
    rm -rf "$tools"
    return "$status"
}

install_by_pip() {
    local log=$1
    shift
    # Only a talkative pip tells a connection that failed from a package that is not there.
    "$python" -I -m pip install -vv --no-input --disable-pip-version-check --progress-bar off --no-compile "$@" \
        >"$log" 2>&1 </dev/null
}

# All cores at once, and also for users who may not write in $venv later.
compile_modules() {
    "$python" -I -m compileall -q -j 0 -x "$seldom" "$venv/lib" >/dev/null 2>&1 </dev/null
    true # a file that is no Python of this version is none of ours
}

install() {
    local file status reason ticker log=$venv/pip.log stamps=$venv/.installed arguments=()
    # The stamps are copied before the install: what is edited meanwhile is seen by the next start. Without .whole,
    # an install that is killed half-way leads to a new .venv, since pip would trust what lies about in this one.
    { rm -rf "$venv/.whole" "$stamps" "$stamps.new" && mkdir "$stamps.new"; } || fail "cannot write in $venv"
    for file in "$@"; do
        cp "$root/$file" "$stamps.new/$file" || fail "cannot write in $venv"
        arguments+=(-r "$root/$file")
    done
    show_seconds 9<&- & # without the lock, which would outlive a start that was killed
    ticker=$!
    install_by_uv "$log" "${arguments[@]}" || install_by_pip "$log" "${arguments[@]}"
    status=$?
    ((status)) || compile_modules
    stop_ticker
    if ((status == 0)); then
        { rm "$log" && mv "$stamps.new" "$stamps"; } || fail "cannot write in $venv"
        mark_whole
        return
    fi
    ((status < 128)) || fail "pip was killed (exit code $status); start again"
    mark_whole # pip has tidied up after itself, so what was there before still serves without the network
    ! grep -qE "$network_trouble" "$log" ||
        fail "cannot reach the package index; check the network and start again (details: $log)"
    reason=$(sed -n 's/^ERROR: //p' "$log" | head -n 1)
    fail "cannot install $*: ${reason:-pip failed} (details: $log)"
}

set_up() {
    local base='' choice name=$1
    shift
    venv=$root/$name
    python=$venv/bin/python
    ! { is_whole && is_installed "$@"; } || return 0
    [[ -w $root && (! -e $venv || -w $venv) ]] || fail "cannot set up $name: $root is not writable"
    trap 'say "interrupted; the next start sets up anew"; exit 130' INT
    # One start at a time: the lock is the project's directory itself, held until descriptor 9 is closed.
    if command -v flock >/dev/null; then
        exec 9<"$root"
        flock -n 9 || { say "waiting for another start to finish its set-up" && flock 9; }
    fi
    is_whole || find_base
    if [[ -n $base ]] || ! is_installed "$@"; then
        say "installing $* into $name, once"
        [[ -z $base ]] || make_venv
        install "$@"
    fi
    exec 9<&-
    trap - INT
}
