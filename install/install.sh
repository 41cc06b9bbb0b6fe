#!/usr/bin/env bash
# Installs the dax that checksums.txt beside this script names, and no other: what was downloaded must have that digest.
# Where this version is not listed for this machine, dax is built from the source that this script came with: in that
# source's own folder, by the toolchain that install/toolchain names, without the variables of the job.
#
#   DAX_VERSION     the version; that of this source by default. Another one must be listed
#   DAX_INSTALL     the folder that dax is put into; ~/.local/bin by default
#   DAX_RELEASES    where releases are, up to the version; a folder by file:///…
set -euo pipefail

fail() {
  echo "dax: $1" >&2
  exit 1
}

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd -P)"
root="$(dirname "$here")"
own="$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)"
version="${DAX_VERSION:-$own}"
version="${version#v}"
case "$version" in
  "" | *[!0-9A-Za-z.+-]*) fail "DAX_VERSION is no version: say one such as $own" ;;
esac

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) triple=x86_64-unknown-linux-gnu ;;
  Linux-aarch64 | Linux-arm64) triple=aarch64-unknown-linux-gnu ;;
  Darwin-arm64) triple=aarch64-apple-darwin ;;
  *) triple=unknown ;;
esac

archive="dax-$version-$triple.tar.gz"
wanted="$(awk -v name="$archive" '$2 == name { print $1 }' "$here/checksums.txt")"
home="${HOME:-/}"
target="${DAX_INSTALL:-$home/.local/bin}"
mkdir -p "$target"
target="$(cd "$target" && pwd -P)"
folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT

# The folders that a change request fills: none of them says which program is run.
checkouts=()
for place in "${GITHUB_WORKSPACE:-}" "${CI_PROJECT_DIR:-}" "${BITBUCKET_CLONE_DIR:-}"; do
  [ -n "$place" ] && [ -d "$place" ] && checkouts+=("$(cd "$place" && pwd -P)")
done
place="$(pwd -P)"
while [ "$place" != / ] && [ "$place" != "$home" ]; do
  [ -e "$place/.git" ] && checkouts+=("$place")
  place="$(dirname "$place")"
done

# Whether a folder is given as a whole path and lies in no checkout.
is_outside() {
  local real checkout
  case "$1" in /*) ;; *) return 1 ;; esac
  real="$(cd "$1" 2> /dev/null && pwd -P)" || return 1
  for checkout in ${checkouts[@]+"${checkouts[@]}"}; do
    case "$real/" in "$checkout"/*) return 1 ;; esac
  done
}

build() {
  local entries entry path="" name kept=()
  IFS=: read -r -a entries <<< "$PATH"
  for entry in ${entries[@]+"${entries[@]}"}; do
    if is_outside "$entry"; then path="$path${path:+:}$entry"; fi
  done
  if ! PATH="$path" command -v cargo > /dev/null; then
    fail "that needs Rust: install it from https://rustup.rs, or choose a version that is listed in $here/checksums.txt"
  fi
  for name in CARGO_HOME RUSTUP_HOME TMPDIR; do
    if [ -n "${!name:-}" ] && is_outside "${!name}"; then kept+=("$name=${!name}"); fi
  done
  for name in HTTP_PROXY HTTPS_PROXY NO_PROXY http_proxy https_proxy no_proxy SSL_CERT_FILE RUSTUP_DIST_SERVER; do
    if [ -n "${!name:-}" ]; then kept+=("$name=${!name}"); fi
  done
  # Settings of cargo and rustup are looked for in the working folder and above it.
  cd "$root"
  env -i PATH="$path" HOME="$home" RUSTUP_TOOLCHAIN="$(cat "$here/toolchain")" ${kept[@]+"${kept[@]}"} \
    cargo install --locked --quiet --path "$root/cli" --root "$folder"
  install -m 0755 "$folder/bin/dax" "$target/dax"
}

if [ -z "$wanted" ]; then
  if [ "$version" != "$own" ]; then
    fail "no release $archive is listed in $here/checksums.txt, and the source beside it is that of $own: choose a version that is listed, or the install script of $version"
  fi
  echo "no release $archive is listed in $here/checksums.txt: building dax $version from the source in $root" >&2
  build
  "$target/dax" --version >&2
  exit 0
fi

if [ -z "${DAX_RELEASES:-}" ]; then
  fail "say in DAX_RELEASES where releases of dax are, such as https://github.com/OWNER/dax/releases/download"
fi

curl --fail --silent --show-error --location --retry 3 --output "$folder/$archive" "$DAX_RELEASES/v$version/$archive"
found="$( (sha256sum "$folder/$archive" 2> /dev/null || shasum -a 256 "$folder/$archive") | cut -d ' ' -f 1)"
if [ "$found" != "$wanted" ]; then
  fail "$archive is not the one that was released: its SHA-256 is $found, $wanted is listed"
fi
tar -xzf "$folder/$archive" -C "$folder" dax
install -m 0755 "$folder/dax" "$target/dax"
"$target/dax" --version >&2
