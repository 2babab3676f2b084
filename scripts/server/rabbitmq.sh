# shellcheck shell=bash
# Part of scripts/servers: RabbitMQ on four ports (AMQP, management, distribution, port mapper). `rabbitmq` is
# Debian's own, on the first four; `rabbitmq4` is that of a later suite, on the last four, which is unpacked and
# run by chroot. Administration: FOLDER/rabbitmq/ctl list_queues, FOLDER/rabbitmq4/ctl list_queues

rabbitmq_programs=/usr/lib/rabbitmq/bin

# Erlang that keeps a server well whose queues are deleted the moment they are declared, as tests do it. The process
# that would move such a queue's dead letters finds it gone and dies; it is started again, dies again, and with that its
# supervisor gives up for all queues and for good: no queue can be declared any more (541 INTERNAL_ERROR) before the
# server is restarted. Here it is not started again (5: the restart type in the specification of a child).
rabbitmq_no_second_death='sys:replace_state(rabbit_fifo_dlx_sup, fun(S) -> {Ids, Children} = element(4, S),
    setelement(4, S, {Ids, maps:map(fun(_, Child) -> setelement(5, Child, temporary) end, Children)}) end)'

# What the functions below work on.
rabbitmq_use() {
    rabbitmq_name=$1 rabbitmq_port=$2 rabbitmq_suite=$3
    rabbitmq_here=$folder/$rabbitmq_name
    rabbitmq_home=$rabbitmq_here    # what the server calls its folder
    rabbitmq_outside=$rabbitmq_here # the same folder as seen from here
    rabbitmq_root=
    if [ -n "$rabbitmq_suite" ]; then
        # Unpacked once for all servers of this machine: it is dear.
        rabbitmq_root=${TMPDIR:-/tmp}/gatecast-rabbitmq-$rabbitmq_suite
        rabbitmq_home=/srv/gatecast-$rabbitmq_port
        rabbitmq_outside=$rabbitmq_root$rabbitmq_home
    fi
}

rabbitmq_start() { rabbitmq_use rabbitmq "$first_port" "${GATECAST_RABBITMQ_SUITE:-}" && rabbitmq_bring_up; }
rabbitmq_stop() { rabbitmq_use rabbitmq "$first_port" "${GATECAST_RABBITMQ_SUITE:-}" && rabbitmq_bring_down; }
rabbitmq4_start() { rabbitmq_use rabbitmq4 $((first_port + 6)) trixie && rabbitmq_bring_up; }
rabbitmq4_stop() { rabbitmq_use rabbitmq4 $((first_port + 6)) trixie && rabbitmq_bring_down; }

rabbitmq_is_alive() { is_alive "$rabbitmq_here/pid" "-home $rabbitmq_home "; }

rabbitmq_install() {
    if [ -n "$rabbitmq_suite" ]; then
        rabbitmq_unpack
    elif [ ! -x $rabbitmq_programs/rabbitmq-server ]; then
        install_packages rabbitmq-server
        [ -x $rabbitmq_programs/rabbitmq-server ] || fail "$rabbitmq_programs/rabbitmq-server is missing after the installation"
    fi
}

rabbitmq_unpack() {
    local log=$folder/unpacking-$rabbitmq_suite.log
    local why="RabbitMQ of Debian's $rabbitmq_suite cannot be had (or name one of your own in GATECAST_TEST_${rabbitmq_name^^}_URL)"
    [ "$(id -u)" = 0 ] || fail "$why: unpacking and chroot need root"
    exec 9>"$rabbitmq_root.lock"
    flock 9 # a test may start the second server while the first one is still being unpacked
    if [ ! -x "$rabbitmq_root$rabbitmq_programs/rabbitmq-server" ]; then
        command -v mmdebstrap >/dev/null || install_packages mmdebstrap
        say "unpacking RabbitMQ of Debian's $rabbitmq_suite into $rabbitmq_root"
        rm -rf "$rabbitmq_root" "$rabbitmq_root.new"
        # The index of a suite that moves may be weeks old.
        TMPDIR=$folder mmdebstrap --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
            --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --include=rabbitmq-server \
            "$rabbitmq_suite" "$rabbitmq_root.new" >"$log" 2>&1 || fail "$why; see $log"
        mv "$rabbitmq_root.new" "$rabbitmq_root"
    fi
    exec 9>&-
}

# What the server and its tools read. RABBITMQ_CONF_ENV_FILE keeps the system's settings out.
rabbitmq_write_settings() {
    mkdir -p "$rabbitmq_here" "$rabbitmq_outside/mnesia" "$rabbitmq_outside/log"
    echo '[rabbitmq_management].' >"$rabbitmq_outside/enabled_plugins"
    cat >"$rabbitmq_outside/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$rabbitmq_port
management.tcp.ip = 127.0.0.1
management.tcp.port = $((rabbitmq_port + 1))
# A test's disk and memory are shared with everything else on the machine.
disk_free_limit.absolute = 50MB
# Training may take hours between delivery and acknowledgement.
consumer_timeout = 86400000
${GATECAST_RABBITMQ_CONF:-}
CONF
    cat >"$rabbitmq_outside/environment" <<ENVIRONMENT
export HOME='$rabbitmq_home'
export RABBITMQ_NODENAME=gatecast-$rabbitmq_port@localhost
export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
export RABBITMQ_DIST_PORT=$((rabbitmq_port + 2))
export RABBITMQ_MNESIA_BASE='$rabbitmq_home/mnesia'
export RABBITMQ_LOG_BASE='$rabbitmq_home/log'
export RABBITMQ_CONFIG_FILE='$rabbitmq_home/rabbitmq.conf'
export RABBITMQ_ENABLED_PLUGINS_FILE='$rabbitmq_home/enabled_plugins'
export RABBITMQ_CONF_ENV_FILE=/dev/null
export RABBITMQ_PID_FILE='$rabbitmq_home/pid'
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
export ERL_EPMD_ADDRESS=127.0.0.1
export ERL_EPMD_PORT=$((rabbitmq_port + 3))
ENVIRONMENT
    # How a program of RabbitMQ is run with these settings: FOLDER/rabbitmq/in PROGRAM ARGUMENT…
    # /proc of the unpacked suite is there for that program alone, and goes with it.
    local within="exec"
    [ -z "$rabbitmq_root" ] || within="mount -t proc proc '$rabbitmq_root/proc' && exec chroot '$rabbitmq_root'"
    cat >"$rabbitmq_here/within" <<WITHIN
#!/bin/sh
$within /bin/sh -c '. "$rabbitmq_home/environment" && cd "$rabbitmq_home" && exec "\$0" "\$@"' "\$@"
WITHIN
    printf '#!/bin/sh\nexec %s"%s/within" "$@"\n' "${rabbitmq_root:+unshare --mount }" "$rabbitmq_here" >"$rabbitmq_here/in"
    printf '#!/bin/sh\nexec "%s/in" %s/rabbitmqctl "$@"\n' "$rabbitmq_here" $rabbitmq_programs >"$rabbitmq_here/ctl"
    chmod +x "$rabbitmq_here/within" "$rabbitmq_here/in" "$rabbitmq_here/ctl"
}

rabbitmq_bring_up() {
    rabbitmq_install
    if ! rabbitmq_is_alive; then
        rabbitmq_write_settings
        [ -z "$rabbitmq_root" ] || cp /etc/hosts "$rabbitmq_root/etc/hosts"
        rm -f "$rabbitmq_outside/pid" "$rabbitmq_here/pid"
        say "starting RabbitMQ on 127.0.0.1:$rabbitmq_port"
        setsid nohup "$rabbitmq_here/in" $rabbitmq_programs/rabbitmq-server >"$rabbitmq_outside/log/stdout" 2>&1 </dev/null &
    fi
    wait_until RabbitMQ test -s "$rabbitmq_outside/pid"
    [ -z "$rabbitmq_root" ] || cp "$rabbitmq_outside/pid" "$rabbitmq_here/pid"
    "$rabbitmq_here/ctl" await_startup --timeout 180 >/dev/null || fail "RabbitMQ does not start; see $rabbitmq_outside/log"
    local version
    version=$("$rabbitmq_here/ctl" --quiet eval "$rabbitmq_no_second_death, rabbit_misc:version()." | tr -d '"') ||
        fail "RabbitMQ does not answer"
    say "RabbitMQ $version is up, pid $(cat "$rabbitmq_here/pid"); it is administered with $rabbitmq_here/ctl"
    echo "export GATECAST_TEST_${rabbitmq_name^^}_URL=amqp://guest:guest@127.0.0.1:$rabbitmq_port/%2f"
}

rabbitmq_bring_down() {
    [ -e "$rabbitmq_here/in" ] || return 0
    if rabbitmq_is_alive; then
        "$rabbitmq_here/ctl" shutdown >&2 || kill -9 "$(cat "$rabbitmq_here/pid")"
    fi
    # Its port mapper outlives it otherwise; it is ours alone, on a port of its own.
    "$rabbitmq_here/in" epmd -kill >/dev/null 2>&1 || true
    rm -rf "$rabbitmq_here" "$rabbitmq_outside"
    say "RabbitMQ is stopped"
}
