# shellcheck shell=bash
# Part of scripts/servers: Redis in memory only, on the fifth port.

redis_port=$((first_port + 4))

redis_start() {
    command -v redis-server >/dev/null || install_packages redis-server
    local here=$folder/redis
    if ! is_alive "$here/pid" "redis-server 127.0.0.1:$redis_port"; then
        mkdir -p "$here"
        say "starting Redis on 127.0.0.1:$redis_port"
        redis-server --daemonize yes --bind 127.0.0.1 --port "$redis_port" --dir "$here" --pidfile "$here/pid" \
            --logfile "$here/log" --save '' --appendonly no >&2
    fi
    wait_until Redis redis-cli -p "$redis_port" ping
    echo "export GATECAST_TEST_REDIS_URL=redis://127.0.0.1:$redis_port/0"
}

redis_stop() {
    local here=$folder/redis
    if is_alive "$here/pid" "redis-server 127.0.0.1:$redis_port"; then
        redis-cli -p "$redis_port" shutdown nosave >&2 || kill -9 "$(cat "$here/pid")"
        say "Redis is stopped"
    fi
    rm -rf "$here"
}
