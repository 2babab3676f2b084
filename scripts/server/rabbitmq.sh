# shellcheck shell=bash
# Part of scripts/servers: RabbitMQ on the first four ports (AMQP, management, distribution, port mapper),
# Debian's own or that of another suite in a folder of its own. Administration: FOLDER/rabbitmq/ctl list_queues

rabbitmq_programs=/usr/lib/rabbitmq/bin
rabbitmq_suite=${GATECAST_RABBITMQ_SUITE:-}
rabbitmq_here=$folder/rabbitmq
rabbitmq_root=$rabbitmq_here/root # of the other suite
rabbitmq_home=$rabbitmq_here      # what the server calls its folder

rabbitmq_install() {
    if [ -n "$rabbitmq_suite" ]; then
        [ -x "$rabbitmq_root$rabbitmq_programs/rabbitmq-server" ] && return
        [ "$(id -u)" = 0 ] || fail "RabbitMQ of $rabbitmq_suite needs root"
        command -v mmdebstrap >/dev/null || install_packages mmdebstrap
        say "unpacking RabbitMQ of $rabbitmq_suite"
        mkdir -p "$rabbitmq_here"
        # The index of a suite that moves may be weeks old.
        TMPDIR=$rabbitmq_here mmdebstrap --variant=apt --aptopt='Acquire::Check-Valid-Until "false"' \
            --dpkgopt=force-unsafe-io --dpkgopt='path-exclude=/usr/share/doc/*' --include=rabbitmq-server \
            "$rabbitmq_suite" "$rabbitmq_root" >"$rabbitmq_here/unpacking.log" 2>&1 ||
            fail "RabbitMQ of $rabbitmq_suite cannot be had; see $rabbitmq_here/unpacking.log"
        return
    fi
    [ -x $rabbitmq_programs/rabbitmq-server ] || install_packages rabbitmq-server
    [ -x $rabbitmq_programs/rabbitmq-server ] || fail "$rabbitmq_programs/rabbitmq-server is missing after the installation"
}

# What the server and its tools read. RABBITMQ_CONF_ENV_FILE keeps the system's settings out.
rabbitmq_write_settings() {
    local outside=$1
    mkdir -p "$outside/mnesia" "$outside/log"
    echo '[rabbitmq_management].' >"$outside/enabled_plugins"
    cat >"$outside/rabbitmq.conf" <<CONF
listeners.tcp.1 = 127.0.0.1:$first_port
management.tcp.ip = 127.0.0.1
management.tcp.port = $((first_port + 1))
# A test's disk and memory are shared with everything else on the machine.
disk_free_limit.absolute = 50MB
# Training may take hours between delivery and acknowledgement.
consumer_timeout = 86400000
${GATECAST_RABBITMQ_CONF:-}
CONF
    cat >"$outside/environment" <<ENVIRONMENT
export HOME='$rabbitmq_home'
export RABBITMQ_NODENAME=gatecast-$first_port@localhost
export RABBITMQ_NODE_IP_ADDRESS=127.0.0.1
export RABBITMQ_DIST_PORT=$((first_port + 2))
export RABBITMQ_MNESIA_BASE='$rabbitmq_home/mnesia'
export RABBITMQ_LOG_BASE='$rabbitmq_home/log'
export RABBITMQ_CONFIG_FILE='$rabbitmq_home/rabbitmq.conf'
export RABBITMQ_ENABLED_PLUGINS_FILE='$rabbitmq_home/enabled_plugins'
export RABBITMQ_CONF_ENV_FILE=/dev/null
export RABBITMQ_PID_FILE='$rabbitmq_home/pid'
export RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS='-kernel inet_dist_use_interface {127,0,0,1}'
export ERL_EPMD_ADDRESS=127.0.0.1
export ERL_EPMD_PORT=$((first_port + 3))
ENVIRONMENT
    # How a program of RabbitMQ is run with these settings: FOLDER/rabbitmq/in PROGRAM ARGUMENT…
    local chroot=""
    [ -z "$rabbitmq_suite" ] || chroot="chroot '$rabbitmq_root'"
    cat >"$rabbitmq_here/in" <<IN
#!/bin/sh
exec $chroot /bin/sh -c '. "$rabbitmq_home/environment" && cd "$rabbitmq_home" && exec "\$0" "\$@"' "\$@"
IN
    printf '#!/bin/sh\nexec "%s/in" %s/rabbitmqctl "$@"\n' "$rabbitmq_here" $rabbitmq_programs >"$rabbitmq_here/ctl"
    chmod +x "$rabbitmq_here/in" "$rabbitmq_here/ctl"
}

rabbitmq_start() {
    local outside=$rabbitmq_here # the folder as seen from here
    if [ -n "$rabbitmq_suite" ]; then
        rabbitmq_home=/srv/rabbitmq
        outside=$rabbitmq_root$rabbitmq_home
    fi
    rabbitmq_install
    if ! is_alive "$rabbitmq_here/pid"; then
        rabbitmq_write_settings "$outside"
        if [ -n "$rabbitmq_suite" ]; then
            cp /etc/hosts "$rabbitmq_root/etc/hosts"
            mountpoint -q "$rabbitmq_root/proc" || mount -t proc proc "$rabbitmq_root/proc"
        fi
        rm -f "$outside/pid" "$rabbitmq_here/pid"
        say "starting RabbitMQ on 127.0.0.1:$first_port"
        setsid nohup "$rabbitmq_here/in" $rabbitmq_programs/rabbitmq-server >"$outside/log/stdout" 2>&1 </dev/null &
    fi
    wait_until RabbitMQ test -s "$outside/pid"
    [ "$outside" = "$rabbitmq_here" ] || cp "$outside/pid" "$rabbitmq_here/pid"
    "$rabbitmq_here/ctl" await_startup --timeout 180 >/dev/null || fail "RabbitMQ does not start; see $outside/log"
    local version
    version=$("$rabbitmq_here/ctl" --quiet eval 'rabbit_misc:version().' | tr -d '"') || fail "RabbitMQ does not answer"
    say "RabbitMQ $version is up, pid $(cat "$rabbitmq_here/pid"); it is administered with $rabbitmq_here/ctl"
    echo "export GATECAST_TEST_RABBITMQ_URL=amqp://guest:guest@127.0.0.1:$first_port/%2f"
}

rabbitmq_stop() {
    [ -e "$rabbitmq_here/in" ] || return 0
    if is_alive "$rabbitmq_here/pid"; then
        "$rabbitmq_here/ctl" shutdown >&2 || kill -9 "$(cat "$rabbitmq_here/pid")"
    fi
    # Its port mapper outlives it otherwise; it is ours alone, on a port of its own.
    "$rabbitmq_here/in" epmd -kill >/dev/null 2>&1 || true
    if mountpoint -q "$rabbitmq_root/proc"; then umount -l "$rabbitmq_root/proc"; fi
    # An unpacked suite stays: it is the dear part.
    find "$rabbitmq_here" -mindepth 1 -maxdepth 1 ! -name root -exec rm -rf {} +
    rm -rf "$rabbitmq_root/srv/rabbitmq"
    say "RabbitMQ is stopped"
}
