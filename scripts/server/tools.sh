# shellcheck shell=bash
# Part of scripts/servers: no server, but programs that tests run beside ours: promtool, and AMQP clients that
# are not ours (amqp-publish, amqp-consume, pika).

tools_start() {
    local missing=()
    command -v promtool >/dev/null || missing+=(prometheus)
    command -v amqp-publish >/dev/null || missing+=(amqp-tools)
    command -v python3 >/dev/null || missing+=(python3)
    python3 -c 'import venv, ensurepip' 2>/dev/null || missing+=(python3-venv)
    [ ${#missing[@]} -eq 0 ] || install_packages "${missing[@]}"
    local python=$folder/python
    if ! "$python/bin/python" -c 'import pika, msgpack' 2>/dev/null; then
        say "installing pika and msgpack for Python"
        python3 -m venv "$python" >&2
        "$python/bin/python" -m pip install --quiet --disable-pip-version-check \
            -r "$scripts/../examples/clients/requirements.txt" >&2 || fail "pika and msgpack could not be installed"
    fi
    echo "export GATECAST_TEST_PYTHON=$python/bin/python"
}

tools_stop() { rm -rf "$folder/python"; }
