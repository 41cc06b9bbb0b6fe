#!/bin/sh
# Runs dax with the words of COMMAND in the clone of the pipeline.
set -eu
git config --global --add safe.directory "$BITBUCKET_CLONE_DIR"
cd "$BITBUCKET_CLONE_DIR"
# shellcheck disable=SC2086 # each word is one
exec dax ${COMMAND:-ci}
