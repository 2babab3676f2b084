# shellcheck shell=bash
# Part of scripts/servers: PostgreSQL with a superuser `gatecast`, on the sixth port. The server refuses to
# run as root and then runs as the user `postgres`, which Debian's package brings.

postgres_port=$((first_port + 5))

# The newest installed version's programs, wherever Debian put them.
postgres_programs() { find /usr/lib/postgresql/*/bin -maxdepth 0 2>/dev/null | sort -V | tail -n1; }

as_postgres() { if [ "$(id -u)" = 0 ]; then (cd / && runuser -u postgres -- "$@"); else "$@"; fi; }

postgres_start() {
    local here=$folder/postgres programs
    [ -n "$(postgres_programs)" ] && { [ "$(id -u)" != 0 ] || id postgres >/dev/null 2>&1; } ||
        install_packages postgresql
    programs=$(postgres_programs)
    [ -n "$programs" ] || fail "PostgreSQL's programs are missing after the installation"
    if ! is_alive "$here/data/postmaster.pid" "$here/data"; then
        if [ ! -e "$here/data/PG_VERSION" ]; then
            rm -rf "$here"
            mkdir -p "$here"
            [ "$(id -u)" != 0 ] || chown postgres "$here"
            as_postgres "$programs/initdb" --pgdata="$here/data" --username=gatecast --auth=trust \
                --encoding=UTF8 --locale=C.UTF-8 >"$here/initdb.log" ||
                fail "PostgreSQL has no data folder; see $here/initdb.log"
        fi
        say "starting PostgreSQL on 127.0.0.1:$postgres_port"
        as_postgres "$programs/pg_ctl" --pgdata="$here/data" --log="$here/log" --silent --wait --timeout=120 start \
            --options="-c listen_addresses=127.0.0.1 -c port=$postgres_port -c unix_socket_directories=$here -c max_connections=300" >&2 ||
            fail "PostgreSQL does not start; see $here/log"
    fi
    wait_until PostgreSQL "$programs/pg_isready" --host=127.0.0.1 --port="$postgres_port"
    echo "export GATECAST_TEST_POSTGRES_URL=postgres://gatecast@127.0.0.1:$postgres_port/postgres"
}

postgres_stop() {
    local here=$folder/postgres
    if is_alive "$here/data/postmaster.pid" "$here/data"; then
        as_postgres "$(postgres_programs)/pg_ctl" --pgdata="$here/data" --silent --mode=fast stop >&2
        say "PostgreSQL is stopped"
    fi
    rm -rf "$here"
}
