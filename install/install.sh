#!/usr/bin/env bash
# Installs the dax that checksums.txt beside this script names, and no other: what was downloaded must have that digest.
# Where no release of this version is listed, dax is built from the source that this script came with.
#
#   DAX_VERSION     the version; that of this source by default
#   DAX_INSTALL     the folder that dax is put into; ~/.local/bin by default
#   DAX_RELEASES    where releases are, up to the version; a folder by file:///…
set -euo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
root="$(dirname "$here")"
version="${DAX_VERSION:-$(sed -n 's/^version = "\(.*\)"$/\1/p' "$root/Cargo.toml" | head -n 1)}"
target="${DAX_INSTALL:-$HOME/.local/bin}"

case "$(uname -s)-$(uname -m)" in
  Linux-x86_64) triple=x86_64-unknown-linux-gnu ;;
  Linux-aarch64 | Linux-arm64) triple=aarch64-unknown-linux-gnu ;;
  Darwin-arm64) triple=aarch64-apple-darwin ;;
  *) triple=unknown ;;
esac

archive="dax-$version-$triple.tar.gz"
wanted="$(awk -v name="$archive" '$2 == name { print $1 }' "$here/checksums.txt")"
mkdir -p "$target"

if [ -z "$wanted" ]; then
  echo "no release $archive is listed in checksums.txt: building dax from this source" >&2
  if ! command -v cargo > /dev/null; then
    echo "that needs Rust: install it from https://rustup.rs, or choose a version that is listed" >&2
    exit 1
  fi
  cargo install --locked --quiet --path "$root/cli" --root "$target/.."
  exit 0
fi

if [ -z "${DAX_RELEASES:-}" ]; then
  echo "say in DAX_RELEASES where releases of dax are, such as https://github.com/OWNER/dax/releases/download" >&2
  exit 1
fi

folder="$(mktemp -d)"
trap 'rm -rf "$folder"' EXIT
curl --fail --silent --show-error --location --retry 3 --output "$folder/$archive" "$DAX_RELEASES/v$version/$archive"
found="$( (sha256sum "$folder/$archive" 2> /dev/null || shasum -a 256 "$folder/$archive") | cut -d ' ' -f 1)"
if [ "$found" != "$wanted" ]; then
  echo "$archive is not the one that was released: its SHA-256 is $found, $wanted is listed" >&2
  exit 1
fi
tar -xzf "$folder/$archive" -C "$folder" dax
install -m 0755 "$folder/dax" "$target/dax"
"$target/dax" --version >&2
